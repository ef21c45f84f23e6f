//! The answers about one invoice: itself, with its tag, and the tax service's refusal and silence.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::invoice::Invoice;
use super::tax_service::TaxUnavailable;
use crate::domain;
use crate::http::{Code, Excuse, Problem};
use crate::store::PhaseError;

/// The invoice with this status; where it is new, with the place where it is found.
pub(super) fn whole(status: StatusCode, invoice: &Invoice) -> Result<domain::Response, PhaseError> {
    let json = HeaderValue::from_static("application/json");
    let etag = HeaderValue::try_from(invoice.etag())?;
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json), (ETAG, etag)]);
    if status == StatusCode::CREATED {
        let location = format!("/invoices/{}", invoice.id);
        headers.insert(LOCATION, HeaderValue::try_from(location)?);
    }
    Ok(domain::Response {
        status,
        headers,
        body: Bytes::from(serde_json::to_vec(invoice)?),
    })
}

/// The same for a caller who has no key.
pub(super) fn shown(status: StatusCode, invoice: &Invoice) -> Result<Response, Problem> {
    let whole = whole(status, invoice).map_err(|error| {
        let error = &*error as &dyn std::error::Error;
        tracing::error!(error, "an invoice can't be written as JSON");
        Problem::new(Code::Internal, "The invoice can't be shown.")
    })?;
    let mut response = Response::new(Body::from(whole.body));
    *response.status_mut() = whole.status;
    *response.headers_mut() = whole.headers;
    Ok(response)
}

/// The tax service refuses for good.
pub(super) fn refused(reason: String) -> Problem {
    Problem::new(Code::TaxRefused, reason)
}

/// The tax service is silent, and a key goes on from here.
pub(super) fn unfinished(cause: TaxUnavailable) -> Excuse {
    let detail = "The tax service did not answer, so the invoice is not finished. Send the same request \
        again, with the same key, after Retry-After: it goes on from here.";
    Excuse::new(Problem::new(Code::TaxUnavailable, detail), cause)
}

/// The tax service is silent, and nothing was written.
pub(super) fn unwritten(cause: &TaxUnavailable) -> Problem {
    let error = cause as &dyn std::error::Error;
    tracing::warn!(error, "an invoice was not replaced");
    let detail = "The tax service did not answer, and nothing was changed. Send the same request again \
        after Retry-After.";
    Problem::new(Code::TaxUnavailable, detail)
}
