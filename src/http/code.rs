//! The stable codes of problems: the one place that maps what happened to a status and to advice.

use std::time::Duration;

use http::StatusCode;

use super::headers::Status;

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
    /// 404: the stock has no item of this name.
    UnknownSku,
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
    /// 409: there is less in stock than was asked for.
    OutOfStock,
    /// 412: the resource is not what `If-Match` or `If-None-Match` asks for.
    PreconditionFailed,
    /// 413: the body is too large.
    BodyTooLarge,
    /// 422: the key was used for another request.
    KeyReused,
    /// 422: the tax service refuses the invoice.
    TaxRefused,
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
    /// 503: the tax service does not answer, and without its answer there is no invoice.
    TaxUnavailable,
}

/// What a client may do after a problem.
#[derive(Debug, Clone, Copy)]
pub(super) struct Advice {
    /// Whether the same request can succeed later.
    pub(super) retryable: bool,
    /// Whether a retry must carry the same key.
    pub(super) retry_same_key: bool,
    /// Whether a new key is safe: the operation has not happened under this one, by this attempt
    /// or any before. Where nobody looked, the answer is no.
    pub(super) safe_new_key: bool,
}

/// How long to wait after a 500 or 503: long enough for a fail-over to make progress.
const UNAVAILABLE_WAIT: Duration = Duration::from_secs(2);

/// How long to wait after a 409 whose sender knows no better.
const IN_FLIGHT_WAIT: Duration = Duration::from_secs(1);

impl Code {
    /// Every code, in the order of its status.
    pub const ALL: [Self; 23] = [
        Self::KeyMissing,
        Self::KeyInvalid,
        Self::BodyInvalid,
        Self::Unauthorized,
        Self::CardDeclined,
        Self::NotFound,
        Self::UnknownSku,
        Self::MethodNotAllowed,
        Self::BodyIncomplete,
        Self::InFlight,
        Self::OperationUnknown,
        Self::ResponseNotReplayable,
        Self::OutOfStock,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::KeyReused,
        Self::TaxRefused,
        Self::Internal,
        Self::StoreUnavailable,
        Self::OutcomeUnknown,
        Self::OperationUnfinished,
        Self::NotConfigured,
        Self::TaxUnavailable,
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
            Self::UnknownSku => "unknown-sku",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyIncomplete => "body-incomplete",
            Self::InFlight => "in-flight",
            Self::OperationUnknown => "operation-unknown",
            Self::ResponseNotReplayable => "response-not-replayable",
            Self::OutOfStock => "out-of-stock",
            Self::PreconditionFailed => "precondition-failed",
            Self::BodyTooLarge => "body-too-large",
            Self::KeyReused => "key-reused",
            Self::TaxRefused => "tax-refused",
            Self::Internal => "internal",
            Self::StoreUnavailable => "store-unavailable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::OperationUnfinished => "operation-unfinished",
            Self::NotConfigured => "not-configured",
            Self::TaxUnavailable => "tax-unavailable",
        }
    }

    /// The status that the code has unless a setting says otherwise.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::KeyMissing | Self::KeyInvalid | Self::BodyInvalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::CardDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::NotFound | Self::UnknownSku => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyIncomplete => StatusCode::REQUEST_TIMEOUT,
            Self::InFlight
            | Self::OperationUnknown
            | Self::ResponseNotReplayable
            | Self::OutOfStock => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused | Self::TaxRefused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreUnavailable
            | Self::OutcomeUnknown
            | Self::OperationUnfinished
            | Self::NotConfigured
            | Self::TaxUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::KeyMissing => "The Idempotency-Key header is missing",
            Self::KeyInvalid => "The Idempotency-Key header is not valid",
            Self::BodyInvalid => "The body is not valid",
            Self::Unauthorized => "A valid bearer token is required",
            Self::CardDeclined => "The card was declined",
            Self::NotFound => "There is no such resource",
            Self::UnknownSku => "The stock has no such item",
            Self::MethodNotAllowed => "The resource does not have this method",
            Self::BodyIncomplete => "The body did not arrive",
            Self::InFlight => "A request with this key is being worked on",
            Self::OperationUnknown => {
                "It is not known what a call to somebody else came to, and an operator has to look"
            }
            Self::ResponseNotReplayable => {
                "The operation is done, but its answer can't be repeated"
            }
            Self::OutOfStock => "There is not enough in stock",
            Self::PreconditionFailed => "The resource is not what the request expects",
            Self::BodyTooLarge => "The body is too large",
            Self::KeyReused => "The key was used for another request",
            Self::TaxRefused => "The tax service refuses the invoice",
            Self::Internal => "Something is wrong on our side",
            Self::StoreUnavailable => "The store can't be reached",
            Self::OutcomeUnknown => "The outcome of the operation is not known",
            Self::OperationUnfinished => "The operation has begun and is not finished yet",
            Self::NotConfigured => "This service lacks a setting for that",
            Self::TaxUnavailable => "The tax service does not answer",
        }
    }

    pub(super) const fn advice(self) -> Advice {
        match self {
            // Answered for good: the same key repeats it, a new key is a new attempt.
            Self::CardDeclined | Self::UnknownSku | Self::OutOfStock | Self::TaxRefused => Advice {
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
            | Self::PreconditionFailed
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
            | Self::TaxUnavailable
            | Self::StoreUnavailable
            | Self::Internal => Advice {
                retryable: true,
                retry_same_key: true,
                safe_new_key: false,
            },
        }
    }

    /// A client is never told to come again without being told when.
    pub(super) const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::InFlight | Self::BodyIncomplete => Some(IN_FLIGHT_WAIT),
            Self::Internal
            | Self::StoreUnavailable
            | Self::OutcomeUnknown
            | Self::OperationUnfinished
            | Self::NotConfigured
            | Self::TaxUnavailable => Some(UNAVAILABLE_WAIT),
            Self::KeyMissing
            | Self::KeyInvalid
            | Self::BodyInvalid
            | Self::Unauthorized
            | Self::CardDeclined
            | Self::NotFound
            | Self::UnknownSku
            | Self::MethodNotAllowed
            | Self::OperationUnknown
            | Self::ResponseNotReplayable
            | Self::OutOfStock
            | Self::PreconditionFailed
            | Self::BodyTooLarge
            | Self::KeyReused
            | Self::TaxRefused => None,
        }
    }

    pub(super) const fn idempotency_status(self) -> Status {
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
            | Self::PreconditionFailed
            | Self::BodyTooLarge
            | Self::TaxRefused
            | Self::Internal
            | Self::NotConfigured
            | Self::TaxUnavailable
            | Self::UnknownSku
            | Self::OutOfStock
            | Self::StoreUnavailable => Status::Ignored,
        }
    }
}
