//! Notes that a call was sent whose end nobody knows. It ends the lease and lets nobody take over.

use super::{Fenced, touched};
use crate::domain::Lease;
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};

const MARK: &str = "
UPDATE oncely.records SET state = 'unknown', lease_expires_at = NULL
WHERE tenant = $1 AND id = $2 AND attempt = $3 AND state = 'leased'";

impl Ledger {
    /// Makes the record of `lease` unknown.
    pub async fn mark_unknown(&self, lease: &Lease) -> Result<Fenced, Error> {
        let mut tx = self.begin().await?;
        let marked = sqlx::query(MARK)
            .bind(lease.tenant.as_str())
            .bind(lease.id)
            .bind(lease.attempt)
            .execute(&mut *tx)
            .await
            .map_err(Error::driver(Operation::MarkUnknown))?;
        tx.commit().await?;
        Ok(touched(marked.rows_affected()))
    }
}
