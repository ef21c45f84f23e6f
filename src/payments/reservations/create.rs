//! `POST /reserve`: one row, and then the stock, in the transaction that the layer commits together
//! with the answer.

use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use uuid::Uuid;

use super::reservation::{Reservation, ReserveRequest};
use crate::domain::Tenant;
use crate::http::{Code, JsonBody, Problem, Tx};

const LOOK: &str = "
SELECT available FROM public.inventory WHERE tenant = $1 AND sku = $2";

const NOTE: &str = "
INSERT INTO public.reservations (tenant, id, sku, quantity, status)
VALUES ($1, $2, $3, $4, 'reserved')
RETURNING id, sku, quantity, status, created_at";

/// The guard is in the statement, so that no two requests ever both take the last piece: whoever waits
/// for the row's lock has the guard read again once it is free.
const TAKE: &str = "
UPDATE public.inventory SET available = available - $3, reserved = reserved + $3
WHERE tenant = $1 AND sku = $2 AND $3 <= available";

/// What a request comes to.
enum Reserved {
    Yes(Reservation),
    OutOfStock,
    UnknownSku,
}

/// Reserves, or refuses with a stored 409 or 404.
pub(crate) async fn create(
    mut tx: Tx,
    Extension(tenant): Extension<Tenant>,
    JsonBody(request): JsonBody<ReserveRequest>,
) -> Response {
    match reserve(&mut tx, &tenant, &request).await {
        Ok(Reserved::Yes(reservation)) => (StatusCode::CREATED, Json(reservation)).into_response(),
        Ok(Reserved::OutOfStock) => {
            let detail = "Nothing was reserved. Ask for less, or later with a new key.";
            Problem::new(Code::OutOfStock, detail).into_response()
        }
        // Kept like any refusal: a retry must not hear something else because the item came into
        // stock between two attempts whose first answer was lost.
        Ok(Reserved::UnknownSku) => {
            let detail = "Nothing was reserved. Once there is such an item, ask with a new key.";
            Problem::new(Code::UnknownSku, detail).into_response()
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "reserve stock");
            let detail = "This attempt reserved nothing. Send the same request again, with the same \
                key.";
            Problem::new(Code::StoreUnavailable, detail).into_response()
        }
    }
}

async fn reserve(tx: &mut Tx, tenant: &Tenant, request: &ReserveRequest) -> sqlx::Result<Reserved> {
    let available: Option<i64> = sqlx::query_scalar(LOOK)
        .bind(tenant.as_str())
        .bind(&request.sku)
        .fetch_optional(&mut **tx)
        .await?;
    match available {
        None => return Ok(Reserved::UnknownSku),
        Some(available) if available < request.quantity => return Ok(Reserved::OutOfStock),
        Some(_) => (),
    }
    let reservation = sqlx::query_as(NOTE)
        .bind(tenant.as_str())
        .bind(format!("rs_{}", Uuid::now_v7().simple()))
        .bind(&request.sku)
        .bind(request.quantity)
        .fetch_one(&mut **tx)
        .await?;
    // Last, because from here on everybody else who wants this item waits for our COMMIT.
    let taken = sqlx::query(TAKE)
        .bind(tenant.as_str())
        .bind(&request.sku)
        .bind(request.quantity)
        .execute(&mut **tx)
        .await?;
    Ok(match taken.rows_affected() {
        0 => Reserved::OutOfStock,
        _ => Reserved::Yes(reservation),
    })
}
