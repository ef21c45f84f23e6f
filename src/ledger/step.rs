//! One step on Postgres, measured from its beginning to its end, whatever its end is.

use std::future::Future;

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

/// A step under way. Dropped, it was given up: it took as long as its caller's patience, and that is
/// what a slow Postgres looks like.
struct UnderWay {
    step: Step,
    since: Instant,
    class: Option<Class>,
}

/// Does `work`, and records how long it took and what went wrong.
pub(super) async fn measured<T>(
    step: Step,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let given_up = match step {
        Step::Commit => Class::Indeterminate,
        Step::Begin | Step::Acquire | Step::LookUp | Step::Complete => Class::Transient,
    };
    let mut under_way = UnderWay {
        step,
        since: Instant::now(),
        class: Some(given_up),
    };
    let ended = work.await;
    under_way.class = ended.as_ref().err().map(|it| it.class);
    ended
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
