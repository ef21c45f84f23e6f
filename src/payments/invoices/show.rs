//! `GET /invoices/{id}`: the invoice as it is, to its own tenant, or 304 to who has it already.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, StatusCode};

use super::answer;
use super::find::SELECT;
use super::invoice::Invoice;
use crate::domain::Tenant;
use crate::http::{Conditions, Problem};
use crate::ledger::Ledger;
use crate::payments::look_up::look_up;

/// Shows one invoice, 404 where the tenant has none of this id.
pub(in crate::payments) async fn show(
    State(ledger): State<Ledger>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let invoice: Invoice = look_up(&ledger, SELECT, &tenant, path, "invoice").await?;
    let etag = invoice.etag();
    if Conditions::of(&headers).is_known(&etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    answer::shown(StatusCode::OK, &invoice)
}
