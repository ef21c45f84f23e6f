//! `GET /payments/{id}`: the payment as it is, to its own tenant.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};

use super::payment::Payment;
use crate::domain::Tenant;
use crate::http::Problem;
use crate::ledger::Ledger;
use crate::payments::look_up::look_up;

const SELECT: &str = "
SELECT id, amount, currency, source, status, processor_reference, created_at
FROM public.payments
WHERE tenant = $1 AND id = $2";

/// Shows one payment, 404 where the tenant has none of this id.
pub(in crate::payments) async fn show(
    State(ledger): State<Ledger>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Payment>, Problem> {
    look_up(&ledger, SELECT, &tenant, path, "payment")
        .await
        .map(Json)
}
