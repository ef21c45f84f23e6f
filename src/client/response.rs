//! An answer, whole.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

/// An answer of the server, whole. `Debug` prints no body and no headers.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
}

impl Response {
    /// The body, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// Whether the server had it stored, from an earlier attempt.
    pub fn is_replayed(&self) -> bool {
        let value = self.headers.get("idempotent-replayed");
        value.is_some_and(|it| it.as_bytes() == b"true")
    }

    /// Whether it is a problem document (RFC 9457).
    pub fn is_problem(&self) -> bool {
        let value = self
            .headers
            .get(CONTENT_TYPE)
            .map(http::HeaderValue::as_bytes);
        let kind = value.and_then(|it| it.split(|it| *it == b';').next());
        kind.is_some_and(|it| {
            it.trim_ascii()
                .eq_ignore_ascii_case(b"application/problem+json")
        })
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("n_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
