//! Prolongs a lease, as long as it is still ours.

use super::{Fenced, touched};
use crate::domain::Lease;
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};

const RENEW: &str = "
UPDATE oncely.records SET lease_expires_at = clock_timestamp() + make_interval(secs => $4)
WHERE tenant = $1 AND id = $2 AND attempt = $3 AND state = 'leased'";

impl Ledger {
    /// Prolongs `lease` to its full length from now on.
    pub async fn renew(&self, lease: &Lease) -> Result<Fenced, Error> {
        let mut tx = self.begin().await?;
        let renewed = sqlx::query(RENEW)
            .bind(lease.tenant.as_str())
            .bind(lease.id)
            .bind(lease.attempt)
            .bind(self.settings.lease.as_secs_f64())
            .execute(&mut *tx)
            .await
            .map_err(Error::driver(Operation::Renew))?;
        tx.commit().await?;
        Ok(touched(renewed.rows_affected()))
    }
}
