//! What can go wrong between us and Redis, classified here and nowhere else.
//!
//! For the caller each of them means the same: no Redis for this request, ask the ledger. The
//! class decides what the hot path itself does next, and what an operator reads.

use std::error::Error as StdError;
use std::fmt;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// A step on the hot path that did not come about, or of which nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("{operation} on the hot path, {class}")]
pub struct Error {
    /// What we were doing.
    pub operation: Operation,
    /// What became of it.
    pub class: Class,
    #[source]
    cause: Box<dyn StdError + Send + Sync>,
}

/// What we were doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Connecting.
    Connect,
    /// Setting the latch, or reading what is there.
    Acquire,
    /// Writing the answer.
    Complete,
    /// Taking our latch away.
    Release,
    /// Checking that Redis does what we rely on.
    Probe,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing was sent: there is no connection, or the breaker is open.
    Open,
    /// No answer came in time. It may have happened.
    Timeout,
    /// The connection broke, or spoke nonsense. It may have happened.
    Broken,
    /// Redis said no. It did not happen.
    Refused(Refusal),
    /// The settings can't be used: only at start.
    Unusable,
}

/// Why Redis said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `OOM`: its memory is full and it evicts nothing.
    Full,
    /// `READONLY`: it is a replica, perhaps since a fail-over.
    ReadOnly,
    /// `LOADING`, `MISCONF`, `NOAUTH`, `NOPERM`, `CLUSTERDOWN` and all the rest.
    Other,
}

/// What the breaker and the connections are told after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Redis is there and quick: nothing to be done.
    Alive,
    /// It counts for the breaker, and the connections are checked.
    Suspect,
    /// It counts for the breaker, and all connections are made anew.
    Elsewhere,
}

/// There is no connection to Redis at the moment.
#[derive(Debug, thiserror::Error)]
#[error("there is no connection")]
pub(super) struct NoConnection;

/// The breaker is open.
#[derive(Debug, thiserror::Error)]
#[error("the breaker is open")]
pub(super) struct BreakerOpen;

impl Error {
    pub(super) fn new(
        operation: Operation,
        class: Class,
        cause: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self {
            operation,
            class,
            cause: Box::new(cause),
        }
    }

    pub(super) fn redis(operation: Operation, cause: RedisError) -> Self {
        Self::new(operation, classify(&cause), cause)
    }

    /// Whether it may have happened all the same: it was sent, and no answer was understood.
    pub fn may_have_happened(&self) -> bool {
        match self.class {
            Class::Timeout | Class::Broken => true,
            Class::Open | Class::Refused(_) | Class::Unusable => false,
        }
    }

    /// What this says about Redis.
    ///
    /// The breaker is there to save what a failing Redis costs. Silence costs the whole timeout,
    /// so it counts. A refusal is quick, but where every command is refused until somebody
    /// changes something, the round trip is in vain, so it counts too. `OOM` does not: answers
    /// that are there can still be read (`acquire`) and latches taken away (`release`).
    pub(super) fn verdict(&self) -> Verdict {
        match self.class {
            Class::Refused(Refusal::Full) | Class::Open | Class::Unusable => Verdict::Alive,
            Class::Refused(Refusal::ReadOnly) => Verdict::Elsewhere,
            Class::Timeout | Class::Broken | Class::Refused(Refusal::Other) => Verdict::Suspect,
        }
    }
}

/// Redis holds a value of another type than we asked for.
pub(super) fn is_wrong_type(cause: &RedisError) -> bool {
    cause.code() == Some("WRONGTYPE")
}

/// Redis is full and evicts nothing.
pub(super) fn is_full(cause: &RedisError) -> bool {
    cause.code() == Some("OOM")
}

/// A reply that no Redis gives to what was asked.
pub(super) fn unexpected_reply() -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "unexpected reply"))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's kinds are open-ended; what we don't know is a refusal"
)]
fn classify(cause: &RedisError) -> Class {
    if cause.is_timeout() {
        return Class::Timeout;
    }
    if is_full(cause) {
        return Class::Refused(Refusal::Full);
    }
    match cause.kind() {
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Class::Broken,
        ErrorKind::InvalidClientConfig => Class::Unusable,
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Class::Refused(Refusal::ReadOnly),
        _ => Class::Refused(Refusal::Other),
    }
}

impl Operation {
    /// The label `command` of its metrics.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Acquire => "acquire",
            Self::Complete => "complete",
            Self::Release => "release",
            Self::Probe => "probe",
        }
    }
}

impl Class {
    /// The label `class` of its metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Refused(Refusal::Full) => "full",
            Self::Refused(Refusal::ReadOnly) => "read_only",
            Self::Refused(Refusal::Other) => "refused",
            Self::Unusable => "unusable",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.command())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "not sent",
            Self::Timeout => "no answer in time",
            Self::Broken => "connection broken",
            Self::Refused(Refusal::Full) => "refused because its memory is full",
            Self::Refused(Refusal::ReadOnly) => "refused because it is a replica",
            Self::Refused(Refusal::Other) => "refused",
            Self::Unusable => "settings not usable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn server(code: &str) -> RedisError {
        let reply = format!("-{code} said the server\r\n");
        let value = redis::parse_redis_value(reply.as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn each_failure_has_its_class_and_verdict() {
        let io = |kind: io::ErrorKind| RedisError::from(io::Error::from(kind));
        let other = Class::Refused(Refusal::Other);
        for (cause, class, verdict) in [
            (
                io(io::ErrorKind::TimedOut),
                Class::Timeout,
                Verdict::Suspect,
            ),
            (
                io(io::ErrorKind::ConnectionReset),
                Class::Broken,
                Verdict::Suspect,
            ),
            (unexpected_reply(), Class::Broken, Verdict::Suspect),
            (server("OOM"), Class::Refused(Refusal::Full), Verdict::Alive),
            (
                server("READONLY"),
                Class::Refused(Refusal::ReadOnly),
                Verdict::Elsewhere,
            ),
            (server("LOADING"), other, Verdict::Suspect),
            (server("MISCONF"), other, Verdict::Suspect),
            (server("NOAUTH"), other, Verdict::Suspect),
            (server("NOPERM"), other, Verdict::Suspect),
            (server("CLUSTERDOWN"), other, Verdict::Suspect),
            (server("MASTERDOWN"), other, Verdict::Suspect),
            (server("NOREPLICAS"), other, Verdict::Suspect),
            (server("ERR"), other, Verdict::Suspect),
        ] {
            let error = Error::redis(Operation::Acquire, cause);
            assert_eq!(
                (error.class, error.verdict()),
                (class, verdict),
                "{error:?}"
            );
        }
    }

    #[test]
    fn the_cause_is_kept() {
        let error = Error::redis(Operation::Complete, server("OOM"));
        assert_eq!(
            error.to_string(),
            "complete on the hot path, refused because its memory is full"
        );
        assert!(error.source().unwrap().to_string().contains("OOM"));
    }
}
