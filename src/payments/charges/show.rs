//! `GET /charge/{id}`: the charge as it is, to its own tenant.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use sqlx::PgPool;

use super::charge::{Charge, is_text};
use crate::domain::Tenant;
use crate::http::{Code, Problem};

const SELECT: &str = "
SELECT id, amount, currency, source, sku, quantity, status, created_at
FROM public.charges
WHERE tenant = $1 AND id = $2";

/// Shows one charge, 404 where the tenant has none of this id.
pub(crate) async fn show(
    State(pool): State<PgPool>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    // What can't be an id, such as a NUL that Postgres would refuse as text, is nobody's id.
    let Some(Path(id)) = path.ok().filter(|it| is_text(it)) else {
        return no_such_charge();
    };
    let found: sqlx::Result<Option<Charge>> = sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(&pool)
        .await;
    match found {
        Ok(Some(charge)) => Json(charge).into_response(),
        Ok(None) => no_such_charge(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "read a charge");
            Problem::new(Code::StoreUnavailable, "Ask again after Retry-After.").into_response()
        }
    }
}

fn no_such_charge() -> Response {
    Problem::new(Code::NotFound, "This tenant has no such charge.").into_response()
}
