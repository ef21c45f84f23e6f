//! `GET /charge/{id}`: the charge as it is, to its own tenant.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};

use super::charge::Charge;
use crate::domain::Tenant;
use crate::http::Problem;
use crate::ledger::Ledger;
use crate::payments::look_up::look_up;

const SELECT: &str = "
SELECT id, amount, currency, source, sku, quantity, status, created_at
FROM public.charges
WHERE tenant = $1 AND id = $2";

/// Shows one charge, 404 where the tenant has none of this id.
pub(crate) async fn show(
    State(ledger): State<Ledger>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Charge>, Problem> {
    look_up(&ledger, SELECT, &tenant, path, "charge")
        .await
        .map(Json)
}
