//! Problem documents (RFC 9457), and the one place that maps what happened to a status.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::headers::{IDEMPOTENCY_STATUS, Status};
use crate::domain;

/// The content type of problems.
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Where the conventions for keys are written down.
const KEY_SPECIFICATION: &str = "<https://datatracker.ietf.org/doc/html/\
    draft-ietf-httpapi-idempotency-key-header-07>; rel=\"describedby\"";

/// The stable codes. Clients rely on the text; changing one is a breaking change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 400: no `Idempotency-Key`.
    KeyMissing,
    /// 400: an `Idempotency-Key` that is none.
    KeyInvalid,
    /// 400: a body that is not what the route takes.
    BodyInvalid,
    /// 401: no valid credential.
    Unauthorized,
    /// 402: the card was declined.
    CardDeclined,
    /// 404: no such resource.
    NotFound,
    /// 405: the resource has no such method.
    MethodNotAllowed,
    /// 408: the body did not arrive whole, or not in time.
    BodyIncomplete,
    /// 409: the same key is being worked on.
    InFlight,
    /// 409: a call to somebody else was sent, its end is not known, and it is not sent again.
    OperationUnknown,
    /// 409: done, but its answer can't be given.
    ResponseNotReplayable,
    /// 413: the body is too large.
    BodyTooLarge,
    /// 422: the key was used for another request.
    KeyReused,
    /// 500: a bug or a wrong setting of ours.
    Internal,
    /// 503: nothing happened, come again.
    StoreUnavailable,
    /// 503: nobody knows whether it happened, come again with the same key.
    OutcomeUnknown,
    /// 503: it has begun and could not be brought to its end; the same key goes on from there.
    OperationUnfinished,
    /// 503: this service lacks a setting without which the route can't work.
    NotConfigured,
}

/// What a client may do after a problem.
#[derive(Debug, Clone, Copy)]
struct Advice {
    /// Whether the same request can succeed later.
    retryable: bool,
    /// Whether a retry must carry the same key.
    retry_same_key: bool,
    /// Whether a new key is safe: the operation has not happened under this one, by this attempt
    /// or any before. Where nobody looked, the answer is no.
    safe_new_key: bool,
}

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

/// How long to wait after a 500 or 503: long enough for a fail-over to make progress.
const UNAVAILABLE_WAIT: Duration = Duration::from_secs(2);

/// How long to wait after a 409 whose sender knows no better.
const IN_FLIGHT_WAIT: Duration = Duration::from_secs(1);

impl Code {
    /// Every code, in the order of its status.
    pub const ALL: [Self; 18] = [
        Self::KeyMissing,
        Self::KeyInvalid,
        Self::BodyInvalid,
        Self::Unauthorized,
        Self::CardDeclined,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyIncomplete,
        Self::InFlight,
        Self::OperationUnknown,
        Self::ResponseNotReplayable,
        Self::BodyTooLarge,
        Self::KeyReused,
        Self::Internal,
        Self::StoreUnavailable,
        Self::OutcomeUnknown,
        Self::OperationUnfinished,
        Self::NotConfigured,
    ];

    /// The code as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyMissing => "key-missing",
            Self::KeyInvalid => "key-invalid",
            Self::BodyInvalid => "body-invalid",
            Self::Unauthorized => "unauthorized",
            Self::CardDeclined => "card-declined",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyIncomplete => "body-incomplete",
            Self::InFlight => "in-flight",
            Self::OperationUnknown => "operation-unknown",
            Self::ResponseNotReplayable => "response-not-replayable",
            Self::BodyTooLarge => "body-too-large",
            Self::KeyReused => "key-reused",
            Self::Internal => "internal",
            Self::StoreUnavailable => "store-unavailable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::OperationUnfinished => "operation-unfinished",
            Self::NotConfigured => "not-configured",
        }
    }

    /// The status that the code has unless a setting says otherwise.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::KeyMissing | Self::KeyInvalid | Self::BodyInvalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::CardDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyIncomplete => StatusCode::REQUEST_TIMEOUT,
            Self::InFlight | Self::OperationUnknown | Self::ResponseNotReplayable => {
                StatusCode::CONFLICT
            }
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreUnavailable
            | Self::OutcomeUnknown
            | Self::OperationUnfinished
            | Self::NotConfigured => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::KeyMissing => "The Idempotency-Key header is missing",
            Self::KeyInvalid => "The Idempotency-Key header is not valid",
            Self::BodyInvalid => "The body is not valid",
            Self::Unauthorized => "A valid bearer token is required",
            Self::CardDeclined => "The card was declined",
            Self::NotFound => "There is no such resource",
            Self::MethodNotAllowed => "The resource does not have this method",
            Self::BodyIncomplete => "The body did not arrive",
            Self::InFlight => "A request with this key is being worked on",
            Self::OperationUnknown => {
                "It is not known what a call to somebody else came to, and an operator has to look"
            }
            Self::ResponseNotReplayable => {
                "The operation is done, but its answer can't be repeated"
            }
            Self::BodyTooLarge => "The body is too large",
            Self::KeyReused => "The key was used for another request",
            Self::Internal => "Something is wrong on our side",
            Self::StoreUnavailable => "The store can't be reached",
            Self::OutcomeUnknown => "The outcome of the operation is not known",
            Self::OperationUnfinished => "The operation has begun and is not finished yet",
            Self::NotConfigured => "This service lacks a setting for that",
        }
    }

    const fn advice(self) -> Advice {
        match self {
            // Answered for good: the same key repeats it, a new key is a new attempt to pay.
            Self::CardDeclined => Advice {
                retryable: false,
                retry_same_key: false,
                safe_new_key: true,
            },
            // Not as it is; but with a credential again, or once an operator has looked, an earlier
            // attempt's key still counts.
            Self::Unauthorized | Self::OperationUnknown => Advice {
                retryable: false,
                retry_same_key: true,
                safe_new_key: false,
            },
            // This attempt did nothing, and says nothing of an earlier one, which may have come
            // past another proxy or another version of this service: a new key could do it twice.
            Self::KeyMissing
            | Self::KeyInvalid
            | Self::BodyInvalid
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::BodyTooLarge
            | Self::KeyReused => Advice {
                retryable: false,
                retry_same_key: false,
                safe_new_key: false,
            },
            // It is done.
            Self::ResponseNotReplayable => Advice {
                retryable: false,
                retry_same_key: false,
                safe_new_key: false,
            },
            // It may be done, now or by an earlier attempt.
            Self::BodyIncomplete
            | Self::InFlight
            | Self::OutcomeUnknown
            | Self::OperationUnfinished
            | Self::NotConfigured
            | Self::StoreUnavailable
            | Self::Internal => Advice {
                retryable: true,
                retry_same_key: true,
                safe_new_key: false,
            },
        }
    }

    /// A client is never told to come again without being told when.
    const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::InFlight | Self::BodyIncomplete => Some(IN_FLIGHT_WAIT),
            Self::Internal
            | Self::StoreUnavailable
            | Self::OutcomeUnknown
            | Self::OperationUnfinished
            | Self::NotConfigured => Some(UNAVAILABLE_WAIT),
            Self::KeyMissing
            | Self::KeyInvalid
            | Self::BodyInvalid
            | Self::Unauthorized
            | Self::CardDeclined
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::OperationUnknown
            | Self::ResponseNotReplayable
            | Self::BodyTooLarge
            | Self::KeyReused => None,
        }
    }

    const fn idempotency_status(self) -> Status {
        match self {
            Self::InFlight | Self::OperationUnfinished => Status::InFlight,
            Self::KeyReused => Status::Mismatch,
            Self::ResponseNotReplayable => Status::Replayed,
            Self::OutcomeUnknown | Self::OperationUnknown => Status::Unknown,
            Self::KeyMissing
            | Self::KeyInvalid
            | Self::BodyInvalid
            | Self::Unauthorized
            | Self::CardDeclined
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::BodyIncomplete
            | Self::BodyTooLarge
            | Self::Internal
            | Self::NotConfigured
            | Self::StoreUnavailable => Status::Ignored,
        }
    }
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
