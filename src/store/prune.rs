//! Deletes expired records in the background, in small batches, one store at a time or several.

use std::time::Duration;

use tokio::time::timeout;

use crate::config;
use crate::ledger::Ledger;
use crate::shutdown::Tasks;
use crate::telemetry::chores::{self, Chore};

/// A pause between two full batches, so that a long backlog leaves the disk to the foreground.
const BREATH: Duration = Duration::from_millis(100);

/// Prunes every `interval`, batch after batch until one is not full.
pub(super) fn start(ledger: Ledger, settings: &config::Ledger, tasks: &Tasks) {
    let (interval, patience) = (settings.prune_interval, settings.operation_timeout);
    chores::done(Chore::Sweeper);
    tasks.spawn_loop(async move {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            sweep(&ledger, patience).await;
        }
    });
}

/// A batch that takes longer than `patience` waits for a host that is gone.
async fn sweep(ledger: &Ledger, patience: Duration) {
    let mut n_deleted = 0;
    loop {
        match timeout(patience, ledger.prune()).await {
            Ok(Ok((n, is_full))) => {
                n_deleted += n;
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
