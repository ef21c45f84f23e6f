//! Commits a recovery point: where an attempt that comes later goes on.

use super::{Fenced, touched};
use crate::domain::{Lease, Progress};
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};
use crate::ledger::tx::Tx;

/// It renews the lease as well: who advances is alive.
const ADVANCE: &str = "
UPDATE oncely.records SET
    phase = $4, carried = $5::jsonb, downstream_key = $6,
    lease_expires_at = clock_timestamp() + make_interval(secs => $7)
WHERE tenant = $1 AND id = $2 AND attempt = $3 AND state = 'leased'";

impl Ledger {
    /// Writes the recovery point `progress` into `tx`, beside what the phase wrote. After `Lost`,
    /// `tx` must be rolled back.
    pub async fn advance(
        &self,
        tx: &mut Tx,
        lease: &Lease,
        progress: &Progress,
    ) -> Result<Fenced, Error> {
        let advanced = sqlx::query(ADVANCE)
            .bind(lease.tenant.as_str())
            .bind(lease.id)
            .bind(lease.attempt)
            .bind(&progress.phase)
            .bind(progress.carried.to_string())
            .bind(progress.downstream_key)
            .bind(self.settings.lease.as_secs_f64())
            .execute(&mut **tx)
            .await
            .map_err(Error::driver(Operation::Advance))?;
        Ok(touched(advanced.rows_affected()))
    }
}
