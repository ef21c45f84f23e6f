//! The heartbeat of an attempt.

use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::domain::Lease;
use crate::ledger::Fenced;
use crate::store::open::Inner;

impl Inner {
    /// Renews `lease` for as long as it is polled; ends when it is lost.
    ///
    /// A renewal that fails says nothing: the next one may not, and whoever takes over in between
    /// fences everything that this attempt would write.
    pub(super) async fn keep(&self, lease: &Lease) {
        let period = self.ledger_settings.lease_renew_interval;
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is now, and the lease is fresh.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let before = self.points.reach("store.leased.before_renew").await;
            if before.is_err() {
                continue;
            }
            let renewed = timeout(period, self.background.renew(lease)).await;
            self.points.reach("store.leased.after_renew").await.ok();
            match renewed {
                Ok(Ok(Fenced::Done(()))) => (),
                Ok(Ok(Fenced::Lost)) => break,
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "no renewal");
                }
                Err(_elapsed) => tracing::debug!("no renewal in time"),
            }
        }
    }
}
