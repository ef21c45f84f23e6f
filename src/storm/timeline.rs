//! The storm's own clock, and what happened when: faults, and answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::plan::Fault;
use crate::history::Verdict;

/// What happened, and when. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    began_at: Instant,
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    faults: Vec<Mark>,
    answers: Vec<Got>,
}

/// A fault that happened.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Mark {
    pub(crate) fault: Fault,
    /// Seconds since the beginning.
    pub(crate) from: f64,
    pub(crate) until: f64,
}

/// The end of a request: nothing where it was lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Got {
    pub(crate) at: f64,
    pub(crate) verdict: Option<Verdict>,
}

impl Timeline {
    pub(super) fn begin() -> Self {
        Self {
            began_at: Instant::now(),
            lines: Arc::default(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began_at.elapsed()
    }

    /// Waits until `at` after the beginning.
    pub(super) async fn until(&self, at: Duration) {
        tokio::time::sleep_until(self.began_at + at).await;
    }

    /// Notes a fault that began at `from` and is over now.
    pub(super) fn mark(&self, fault: Fault, from: Duration) {
        let mark = Mark {
            fault,
            from: from.as_secs_f64(),
            until: self.elapsed().as_secs_f64(),
        };
        self.with(|it| it.faults.push(mark));
    }

    /// Notes the end of a request.
    pub(super) fn got(&self, verdict: Option<Verdict>) {
        let at = self.elapsed().as_secs_f64();
        self.with(|it| it.answers.push(Got { at, verdict }));
    }

    pub(super) fn faults(&self) -> Vec<Mark> {
        self.with(|it| it.faults.clone())
    }

    pub(super) fn answers(&self) -> Vec<Got> {
        self.with(|it| it.answers.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Lines) -> T) -> T {
        work(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
