//! What can stop the relay's work for a moment. None of it says anything about a single event.

use std::future::Future;
use std::time::Duration;

use crate::broker;
use crate::failpoint::Injected;
use crate::ledger;

/// What stopped a piece of the relay's work. It is tried again; no event pays for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No transaction began or ended.
    #[error("the ledger did not do its part")]
    Ledger(#[from] ledger::Error),
    /// A statement failed.
    #[error("a statement of the outbox failed")]
    Statement(#[from] sqlx::Error),
    /// The broker did not do its part.
    #[error("the broker did not do its part")]
    Broker(#[from] broker::Error),
    /// The breaker is open, or somebody else's probe is on its way.
    #[error("the broker is left alone until the next probe")]
    LeftAlone,
    /// It took longer than anybody should wait.
    #[error("{0} took too long")]
    TooLong(&'static str),
    /// What the broker looked like is written in a form that nobody knows.
    #[error("the broker's epoch can't be read or written as JSON")]
    Epoch(#[from] serde_json::Error),
    /// A test asked for it.
    #[error(transparent)]
    Injected(#[from] Injected),
}

/// Waits for `work` at most `patience`.
pub(super) async fn within<T, E: Into<Failure>>(
    patience: Duration,
    what: &'static str,
    work: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_elapsed) => Err(Failure::TooLong(what)),
    }
}

impl Failure {
    /// Logs it as the reason why `what` was not done.
    pub(super) fn log(&self, what: &'static str) {
        let error = self as &dyn std::error::Error;
        match self {
            Self::LeftAlone => tracing::debug!(error, what, "not done"),
            Self::Ledger(_)
            | Self::Statement(_)
            | Self::Broker(_)
            | Self::TooLong(_)
            | Self::Epoch(_)
            | Self::Injected(_) => tracing::warn!(error, what, "not done; it is tried again"),
        }
    }
}
