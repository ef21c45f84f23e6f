//! What a mutating route does about keys. Each one says it, or does not compile.

use http::HeaderName;
use serde::de::DeserializeOwned;

use super::body::{Validate, parse};
use super::problem::Problem;
use crate::domain::Algorithm;

/// A route's policy for idempotency keys.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) kind: Kind,
    pub(super) algorithm: Algorithm,
    pub(super) headers: Vec<HeaderName>,
    pub(super) check: Option<Check>,
}

/// Refuses a body before anything is stored: content type and bytes.
pub(super) type Check = fn(&http::HeaderMap, &[u8]) -> Result<(), Problem>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Required,
    Optional,
    Natural,
    Exempt { reason: &'static str },
}

impl Policy {
    /// A key is required, 400 without. For everything that moves money.
    pub fn required() -> Self {
        Self::of(Kind::Required)
    }

    /// A key is honoured where it is sent. Without one, the request runs unprotected.
    pub fn optional() -> Self {
        Self::of(Kind::Optional)
    }

    /// The operation converges by itself, such as a `PUT` of the whole resource or a `DELETE`:
    /// a key is ignored. The handler gets no [`Tx`](super::Tx).
    pub fn natural() -> Self {
        Self::of(Kind::Natural)
    }

    /// A key is ignored, for a reason that stands in the code and in the log at start.
    pub fn exempt(reason: &'static str) -> Self {
        Self::of(Kind::Exempt { reason })
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            algorithm: Algorithm::CanonicalJson,
            headers: Vec::new(),
            check: None,
        }
    }

    /// Checks the body as a `B` before anything is stored: a body that is refused burns no key.
    #[must_use]
    pub fn body<B: DeserializeOwned + Validate>(mut self) -> Self {
        self.check = Some(|headers, bytes| parse::<B>(headers, bytes).map(|_| ()));
        self
    }

    /// Compares bodies byte for byte also where they are JSON: for signed bodies.
    #[must_use]
    pub fn raw_body(mut self) -> Self {
        self.algorithm = Algorithm::Bytes;
        self
    }

    /// Counts a header as part of the request, such as an API version: another value under the
    /// same key is a mismatch.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName) -> Self {
        self.headers.push(name);
        self
    }
}
