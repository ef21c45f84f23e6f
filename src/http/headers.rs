//! Names and values of the headers that the layer reads and writes.

use http::{HeaderName, HeaderValue};

/// Request: the client's key (IETF draft-ietf-httpapi-idempotency-key-header-07).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Request: which attempt of the operation this is, counted from 1. Absent means 1.
pub const ONCELY_ATTEMPT: HeaderName = HeaderName::from_static("oncely-attempt");

/// Request: the caller's name for this request, for the log. Answer: the same, where it was taken.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answer: what the key came to, one of [`Status`].
pub const IDEMPOTENCY_STATUS: HeaderName = HeaderName::from_static("idempotency-status");

/// Answer: `true` where it repeats a stored one.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Answer: when a replayed answer was first given, RFC 3339.
pub const ORIGINAL_TIME: HeaderName = HeaderName::from_static("oncely-original-time");

/// The values of [`IDEMPOTENCY_STATUS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It ran now, and its answer is kept.
    Created,
    /// It ran before, and this is its answer.
    Replayed,
    /// It is running.
    InFlight,
    /// The key belongs to another request.
    Mismatch,
    /// Whether it ran is not known.
    Unknown,
    /// The key played no part: nothing is kept under it.
    Ignored,
}

impl Status {
    pub(super) const fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Created => "created",
            Self::Replayed => "replayed",
            Self::InFlight => "in-flight",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
            Self::Ignored => "ignored",
        })
    }
}
