//! Deletes expired records in the background, in small batches, one store at a time or several.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::timeout;

use crate::config;
use crate::failpoint::FailPoints;
use crate::ledger::Ledger;
use crate::shutdown::Tasks;
use crate::telemetry::chores::{self, Chore};
use crate::telemetry::sweep;

/// A pause between two full batches, so that a long backlog leaves the disk to the foreground.
const BREATH: Duration = Duration::from_millis(100);

/// Prunes every `interval`, batch after batch until one is not full.
pub(super) fn start(ledger: Ledger, settings: &config::Ledger, tasks: &Tasks, points: &FailPoints) {
    let patience = settings.operation_timeout;
    let points = points.clone();
    chores::done(Chore::Sweeper);
    tasks.spawn_rounds(settings.prune_interval, "pruning", move || {
        let (ledger, points) = (ledger.clone(), points.clone());
        async move {
            prune(&ledger, patience, &points).await;
            ControlFlow::Continue(())
        }
    });
}

/// A batch that takes longer than `patience` waits for a host that is gone.
async fn prune(ledger: &Ledger, patience: Duration, points: &FailPoints) {
    let mut n_deleted = 0;
    loop {
        if points.reach("store.prune.before_batch").await.is_err() {
            break;
        }
        let pruned = timeout(patience, ledger.prune()).await;
        if points.reach("store.prune.after_batch").await.is_err() {
            break;
        }
        match pruned {
            Ok(Ok((n, is_full))) => {
                n_deleted += n;
                sweep::pruned(n);
                if !is_full {
                    chores::done(Chore::Sweeper);
                    break;
                }
                tokio::time::sleep(BREATH).await;
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "pruning stopped early"
                );
                break;
            }
            Err(_elapsed) => {
                tracing::warn!("pruning stopped early: the ledger took too long");
                break;
            }
        }
    }
    if 0 < n_deleted {
        tracing::info!(n_deleted, "pruned expired records");
    }
}
