//! One step on Postgres, measured from its beginning to its end, whatever its end is.

use tokio::time::Instant;

use super::error::{Class, Error};
use crate::telemetry::tiers;

/// A step of an operation on the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Begin,
    Acquire,
    LookUp,
    Complete,
    Commit,
}

/// A step under way. Dropped before [`UnderWay::ended`], it was given up: it took as long as its
/// caller's patience, and that is what a slow Postgres looks like.
///
/// It wraps a result and not a future, which it would make twice as large.
#[derive(Debug)]
pub(super) struct UnderWay {
    step: Step,
    since: Instant,
    class: Option<Class>,
}

impl UnderWay {
    /// The step's end, with what it came to.
    pub(super) fn ended<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.class = result.as_ref().err().map(|it| it.class);
        result
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        tiers::ledger_took(self.step.as_str(), self.since.elapsed());
        if let Some(class) = self.class {
            tiers::ledger_failed(class.as_str());
        }
    }
}

impl Step {
    /// Begins to measure it.
    pub(super) fn begin(self) -> UnderWay {
        let given_up = match self {
            Self::Commit => Class::Indeterminate,
            Self::Begin | Self::Acquire | Self::LookUp | Self::Complete => Class::Transient,
        };
        UnderWay {
            step: self,
            since: Instant::now(),
            class: Some(given_up),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Acquire => "acquire",
            Self::LookUp => "look_up",
            Self::Complete => "complete",
            Self::Commit => "commit",
        }
    }
}

impl Class {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Indeterminate => "indeterminate",
            Self::Corrupt => "corrupt",
            Self::Permanent => "permanent",
        }
    }
}
