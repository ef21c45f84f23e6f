//! Deletes expired records in the background, in small batches, one store at a time or several.

use std::time::Duration;

use crate::ledger::Ledger;
use crate::shutdown::Tasks;

/// A pause between two full batches, so that a long backlog leaves the disk to the foreground.
const BREATH: Duration = Duration::from_millis(100);

/// Prunes every `interval`, batch after batch until one is not full.
pub(super) fn start(ledger: Ledger, interval: Duration, tasks: &Tasks) {
    tasks.spawn_loop(async move {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            sweep(&ledger).await;
        }
    });
}

async fn sweep(ledger: &Ledger) {
    let mut n_deleted = 0;
    loop {
        match ledger.prune().await {
            Ok((n, is_full)) => {
                n_deleted += n;
                if !is_full {
                    break;
                }
                tokio::time::sleep(BREATH).await;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "pruning stopped early"
                );
                break;
            }
        }
    }
    if 0 < n_deleted {
        tracing::info!(n_deleted, "pruned expired records");
    }
}
