//! `GET /charge/{id}`: the charge as it is, to its own tenant.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::charge::{Charge, is_text};
use crate::domain::Tenant;
use crate::http::{Code, Problem};
use crate::ledger::Ledger;

const SELECT: &str = "
SELECT id, amount, currency, source, sku, quantity, status, created_at
FROM public.charges
WHERE tenant = $1 AND id = $2";

/// Shows one charge, 404 where the tenant has none of this id.
pub(crate) async fn show(
    State(ledger): State<Ledger>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    // What can't be an id, such as a NUL that Postgres would refuse as text, is nobody's id.
    let Some(Path(id)) = path.ok().filter(|it| is_text(it)) else {
        return no_such_charge();
    };
    match find(&ledger, &tenant, &id).await {
        Ok(Some(charge)) => Json(charge).into_response(),
        Ok(None) => no_such_charge(),
        Err(error) => {
            tracing::warn!(error = &*error as &dyn std::error::Error, "read a charge");
            Problem::new(Code::StoreUnavailable, "Ask again after Retry-After.").into_response()
        }
    }
}

async fn find(
    ledger: &Ledger,
    tenant: &Tenant,
    id: &str,
) -> Result<Option<Charge>, Box<dyn std::error::Error + Send + Sync>> {
    let mut reader = ledger.reader().await?;
    let found = sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(&mut *reader)
        .await?;
    reader.finish();
    Ok(found)
}

fn no_such_charge() -> Response {
    Problem::new(Code::NotFound, "This tenant has no such charge.").into_response()
}
