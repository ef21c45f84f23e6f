//! `POST /charge`: one row and one event, in the transaction that the layer commits together with
//! the answer.

use axum::Extension;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use uuid::Uuid;

use super::charge::{Charge, ChargeRequest};
use super::event::tell;
use super::source::{Verdict, verdict};
use crate::domain::Tenant;
use crate::http::{Code, JsonBody, Problem, Tx};

const INSERT: &str = "
INSERT INTO public.charges (tenant, id, amount, currency, source, sku, quantity, status, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'succeeded', now())
RETURNING id, amount, currency, source, sku, quantity, status, created_at";

/// Charges the source, or declines with a stored 402.
pub(crate) async fn create(
    mut tx: Tx,
    Extension(tenant): Extension<Tenant>,
    JsonBody(request): JsonBody<ChargeRequest>,
) -> Response {
    if let Verdict::Declined { reason } = verdict(&request.source) {
        return Problem::new(Code::CardDeclined, reason).into_response();
    }
    let inserted: sqlx::Result<Charge> = sqlx::query_as(INSERT)
        .bind(tenant.as_str())
        .bind(format!("ch_{}", Uuid::now_v7().simple()))
        .bind(request.amount)
        .bind(&request.currency)
        .bind(&request.source)
        .bind(&request.sku)
        .bind(request.quantity)
        .fetch_one(&mut *tx)
        .await;
    match inserted {
        Ok(charge) => {
            if let Err(error) = tell(&mut tx, &tenant, &charge).await {
                return not_made(&error);
            }
            let location = format!("/charge/{}", charge.id);
            (StatusCode::CREATED, [(LOCATION, location)], Json(charge)).into_response()
        }
        Err(error) => not_made(&error),
    }
}

fn not_made(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::warn!(error, "make a charge");
    let detail = "This attempt charged nothing. Send the same request again, with the same key.";
    Problem::new(Code::StoreUnavailable, detail).into_response()
}
