//! Problem documents (RFC 9457) and the headers that go with them.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::code::{Advice, Code};
use super::headers::{IDEMPOTENCY_STATUS, Status};
use crate::domain;

/// The content type of problems.
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Where the conventions for keys are written down.
const KEY_SPECIFICATION: &str = "<https://datatracker.ietf.org/doc/html/\
    draft-ietf-httpapi-idempotency-key-header-07>; rel=\"describedby\"";

/// A problem document, and the headers that go with it.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    retry_after: Option<Duration>,
    idempotency_status: Status,
    advice: Advice,
    operation_ref: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: String,
    code: &'static str,
    retryable: bool,
    retry_same_key: bool,
    safe_new_key: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_ref: Option<&'a str>,
}

impl Problem {
    /// A problem with a sentence for people. The sentence must hold no key, body or secret.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            detail: detail.into(),
            retry_after: code.retry_after(),
            idempotency_status: code.idempotency_status(),
            advice: code.advice(),
            operation_ref: None,
        }
    }

    /// With another `Retry-After` than the code's own, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// With what an operator finds the record by.
    #[must_use]
    pub(super) fn operation_ref(mut self, reference: String) -> Self {
        self.operation_ref = Some(reference);
        self
    }

    /// For a request without a key: to come again is to do it again.
    #[must_use]
    pub(super) fn unkeyed(mut self) -> Self {
        self.advice.retry_same_key = false;
        if self.code == Code::OutcomeUnknown {
            self.advice.retryable = false;
            self.retry_after = None;
        }
        self
    }

    /// With another status than the code's own.
    #[must_use]
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The problem as the answer of a leased operation, to be stored.
    pub fn into_answer(self) -> domain::Response {
        domain::Response {
            status: self.status,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, PROBLEM_JSON)]),
            body: self.document().into(),
        }
    }

    /// The problem's code.
    pub fn code(&self) -> Code {
        self.code
    }

    fn document(&self) -> Vec<u8> {
        let document = Document {
            r#type: format!("urn:oncely:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance: format!("urn:uuid:{}", Uuid::new_v4()),
            code: self.code.as_str(),
            retryable: self.advice.retryable,
            retry_same_key: self.advice.retry_same_key,
            safe_new_key: self.advice.safe_new_key,
            operation_ref: self.operation_ref.as_deref(),
        };
        serde_json::to_vec(&document).expect("invariant: strings, numbers and booleans are JSON")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.document()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(IDEMPOTENCY_STATUS, self.idempotency_status.value());
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(0 < wait.subsec_nanos());
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.code, Code::KeyMissing | Code::KeyInvalid) {
            headers.insert(LINK, HeaderValue::from_static(KEY_SPECIFICATION));
        }
        response
    }
}
