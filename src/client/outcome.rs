//! What a call came to, and why it was given up.

use std::error::Error as StdError;
use std::time::Duration;

use super::response::Response;
use crate::domain::Key;

/// What became of an operation.
#[derive(Debug)]
#[must_use = "an outcome that is not known must be resolved"]
pub enum Outcome {
    /// It took effect, and this is its answer. The status is 2xx; or it is 409
    /// `response-not-replayable`, where the server knows that it is done and has no answer left.
    Done(Response),
    /// The server refused it for good, and it has not taken effect under this key.
    Rejected(Response),
    /// It may have taken effect. Ask again with [`Client::resolve`](super::Client::resolve); never
    /// start it anew with another key.
    Unknown {
        /// The operation's key.
        key: Key,
        /// Why it was given up, when to ask again, and the last answer.
        cause: Error,
    },
}

/// Why a call was given up. As an `Err` it also says that nothing was done by this operation.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Error {
    /// Why.
    pub why: Why,
    /// When to come again, where that is known: sooner is in vain.
    pub retry_after: Option<Duration>,
    /// The last answer, where there was one.
    pub last: Option<Box<Response>>,
    /// What the transport said, where it was the last to speak.
    #[source]
    pub(super) source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Why no further attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The next attempt could not have ended, or begun, before the deadline.
    #[error("the deadline leaves no time for another attempt")]
    Deadline,
    /// The operation had all its attempts.
    #[error("all attempts are made")]
    Attempts,
    /// It was made inside an attempt of somebody who retries.
    #[error("the layer above retries")]
    Nested,
    /// The call site's retry budget is spent.
    #[error("the retry budget is spent")]
    Budget,
    /// The call site's breaker is open.
    #[error("the breaker is open")]
    Breaker,
    /// The server answered with a redirect that can't be followed.
    #[error("the server redirects to where a request with a key can't follow")]
    Redirected,
    /// The server refused it, and that says nothing of an earlier attempt.
    #[error("the server refused it, without a word on the earlier attempts")]
    Refused,
    /// The server failed in a way that it is not to be asked again.
    #[error("the server failed, and is not to be asked again")]
    Failed,
    /// The key is older than servers keep keys: a retry could do it twice.
    #[error("the key is too old to be sent")]
    Expired,
    /// The request can't be sent at all.
    #[error("the request can't be sent")]
    Invalid,
}

impl Why {
    /// The label of metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Attempts => "attempts",
            Self::Nested => "nested",
            Self::Budget => "budget",
            Self::Breaker => "breaker",
            Self::Redirected => "redirected",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
        }
    }
}
