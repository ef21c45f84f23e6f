//! Ends an attempt's hold on its record, whichever way it can.

use std::future::Future;

use tokio::time::timeout;

use crate::domain::Lease;
use crate::ledger::{self, Fenced};
use crate::store::open::Inner;

impl Inner {
    /// Lets the next attempt begin at once; `None` where that could not be written.
    pub(super) async fn release(&self, lease: &Lease, nothing_sent: bool) -> Option<Fenced> {
        let before = self.points.reach("store.leased.before_release").await;
        before.ok()?;
        let ended = self
            .in_time(self.ledger.release_lease(lease, nothing_sent))
            .await;
        let after = self.points.reach("store.leased.after_release").await;
        after.ok().and(ended)
    }

    /// Lets nobody but an operator go on; `None` where that could not be written.
    pub(super) async fn mark_unknown(&self, lease: &Lease) -> Option<Fenced> {
        let before = self.points.reach("store.leased.before_unknown").await;
        before.ok()?;
        let ended = self.in_time(self.ledger.mark_unknown(lease)).await;
        let after = self.points.reach("store.leased.after_unknown").await;
        after.ok().and(ended)
    }

    async fn in_time(
        &self,
        work: impl Future<Output = Result<Fenced, ledger::Error>>,
    ) -> Option<Fenced> {
        match timeout(self.ledger_settings.statement_timeout, work).await {
            Ok(Ok(fenced)) => Some(fenced),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a lease ends by itself"
                );
                None
            }
            Err(_elapsed) => {
                tracing::warn!("a lease ends by itself: the ledger took too long");
                None
            }
        }
    }
}
