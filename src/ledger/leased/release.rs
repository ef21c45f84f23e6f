//! Ends a lease before its time: the next retry goes on at once from the recovery point.

use super::{Fenced, touched};
use crate::domain::Lease;
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};

/// The record stays: what was done so far is not done again.
const RELEASE: &str = "
UPDATE oncely.records SET
    lease_expires_at = clock_timestamp(),
    downstream_key = CASE WHEN $4 THEN NULL ELSE downstream_key END
WHERE tenant = $1 AND id = $2 AND attempt = $3 AND state = 'leased'";

impl Ledger {
    /// Ends `lease`. `nothing_sent` says that the call whose key is stored was surely not made.
    pub async fn release_lease(&self, lease: &Lease, nothing_sent: bool) -> Result<Fenced, Error> {
        let mut tx = self.begin().await?;
        let released = sqlx::query(RELEASE)
            .bind(lease.tenant.as_str())
            .bind(lease.id)
            .bind(lease.attempt)
            .bind(nothing_sent)
            .execute(&mut *tx)
            .await
            .map_err(Error::driver(Operation::Release))?;
        tx.commit().await?;
        Ok(touched(released.rows_affected()))
    }
}
