//! `DELETE /carts/{id}`: there is no such cart any more, whether or not there was one.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::cart::{CartError, id_of, unavailable};
use crate::domain::Tenant;
use crate::ledger::Ledger;

/// Its lines go with it, by the foreign key.
const DELETE: &str = "
DELETE FROM public.carts WHERE tenant = $1 AND id = $2";

/// 204, and again 204.
pub(crate) async fn delete(
    State(ledger): State<Ledger>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    // What can't be an id names no cart, and so there is none.
    let Some(id) = id_of(path) else {
        return StatusCode::NO_CONTENT.into_response();
    };
    match remove(&ledger, &tenant, &id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => unavailable(&*error),
    }
}

/// # Cancellation
///
/// As that of a `PUT`.
async fn remove(ledger: &Ledger, tenant: &Tenant, id: &str) -> Result<(), CartError> {
    let mut tx = ledger.begin().await?;
    sqlx::query(DELETE)
        .bind(tenant.as_str())
        .bind(id)
        .execute(&mut *tx)
        .await?;
    ledger.commit(tx).await?;
    Ok(())
}
