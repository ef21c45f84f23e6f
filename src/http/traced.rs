//! One span for each request, so that all that the log says of it can be found by its id.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use tracing::{Instrument as _, field};
use uuid::Uuid;

use super::headers::X_REQUEST_ID;
use crate::domain::trace_id;

/// The longest id that is taken from a caller.
const ID_BYTES_MAX: usize = 64;

/// Runs a request in its span. A caller's own id is taken and repeated in the answer; without one the
/// request gets one for the log alone.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    let given = given(request.headers());
    let made = || Uuid::now_v7().simple().to_string();
    let id = given.as_ref().map_or_else(made, |it| it.1.clone());
    let span = tracing::info_span!("request", id, trace = field::Empty);
    let traceparent = request.headers().get("traceparent");
    if let Some(trace) = traceparent.and_then(|it| trace_id(it.to_str().ok()?)) {
        span.record("trace", trace);
    }
    let mut response = next.run(request).instrument(span).await;
    if let Some((value, _)) = given {
        response.headers_mut().entry(X_REQUEST_ID).or_insert(value);
    }
    response
}

/// The caller's id, where it is plain and has a letter: digits alone may be a card's number, and this
/// goes into the log.
fn given(headers: &HeaderMap) -> Option<(HeaderValue, String)> {
    let value = headers.get(X_REQUEST_ID)?;
    let text = value.to_str().ok()?;
    let is_plain = text
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'));
    let has_letter = text.bytes().any(|it| it.is_ascii_alphabetic());
    let is_fit = is_plain && has_letter && text.len() <= ID_BYTES_MAX;
    is_fit.then(|| (value.clone(), text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_only_where_it_may_stand_in_a_log() {
        for (value, is_taken) in [
            ("3f1d9a6e-0b7c-4e58-9a55-7f4f0f6f2a10", true),
            ("req_1.a", true),
            ("4242424242424242", false),
            ("a b", false),
            ("a\"}", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_static(value));
            assert_eq!(given(&headers).is_some(), is_taken, "{value}");
        }
        let mut headers = HeaderMap::new();
        let long = HeaderValue::try_from("a".repeat(65)).unwrap();
        headers.insert(X_REQUEST_ID, long);
        assert!(given(&headers).is_none());
    }
}
