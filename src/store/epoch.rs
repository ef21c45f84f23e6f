//! Keeps watch over the ledger's epoch, so that a hot answer of a lost history is never replayed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use crate::domain::Epoch;
use crate::failpoint::FailPoints;
use crate::ledger::Ledger;
use crate::shutdown::Tasks;
use crate::telemetry::chores::{self, Chore};

/// The epoch as it was last confirmed. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct EpochWatch {
    last: Arc<ArcSwapOption<Confirmed>>,
    /// How long one question may take. An answer older than that counts for nothing anyway.
    patience: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Confirmed {
    epoch: Epoch,
    /// When the question was sent, not when the answer came: the answer is as old as that.
    asked_at: Instant,
}

impl EpochWatch {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            last: Arc::default(),
            patience,
        }
    }

    /// Asks the ledger every `interval`, until the tasks are drained.
    pub(super) fn start(
        &self,
        ledger: Ledger,
        interval: Duration,
        tasks: &Tasks,
        points: &FailPoints,
    ) {
        let (watch, points) = (self.clone(), points.clone());
        tasks.spawn_rounds(interval, "confirming the epoch", move || {
            let (watch, ledger, points) = (watch.clone(), ledger.clone(), points.clone());
            async move {
                if points.reach("store.epoch.before_confirm").await.is_ok() {
                    watch.confirm(&ledger).await;
                }
                points.reach("store.epoch.after_confirm").await.ok();
                ControlFlow::Continue(())
            }
        });
    }

    /// Asks the ledger once. A failure leaves the last confirmation to grow old.
    pub(super) async fn confirm(&self, ledger: &Ledger) {
        let asked_at = Instant::now();
        match tokio::time::timeout(self.patience, ledger.epoch()).await {
            Ok(Ok(epoch)) => {
                let before = self
                    .last
                    .swap(Some(Arc::new(Confirmed { epoch, asked_at })));
                chores::done(Chore::Epoch);
                if before.is_some_and(|it| it.epoch != epoch) {
                    tracing::warn!(?epoch, "the ledger has a new epoch: hot answers are stale");
                }
            }
            Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "no epoch"),
            Err(_elapsed) => tracing::debug!("no epoch in time"),
        }
    }

    /// The epoch, where it was confirmed within `max_age`.
    pub(super) fn confirmed_within(&self, max_age: Duration) -> Option<Epoch> {
        let last = self.last.load();
        last.as_ref()
            .filter(|it| it.asked_at.elapsed() <= max_age)
            .map(|it| it.epoch)
    }

    /// The epoch as it was last known, however long ago.
    pub(super) fn last_known(&self) -> Option<Epoch> {
        self.last.load().as_ref().map(|it| it.epoch)
    }
}
