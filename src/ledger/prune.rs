//! Deletes records past their retention, a bounded batch at a time.

use super::connection::Ledger;
use super::error::{Error, Operation};

/// Index: `records_expires_at`. The grace keeps the pruner away from a request that found its
/// record a moment before it expired. Rows that another pruner holds are skipped.
/// Only what is completed is ever deleted: what is unfinished never expires, and where somebody has
/// given it an end by hand, to delete it would be to send it again.
/// Materialized: a plan that ran the inner query again for each row would pass the limit.
const PRUNE: &str = "
WITH expired AS MATERIALIZED (
    SELECT tenant, id FROM oncely.records
    WHERE expires_at < now() - make_interval(secs => $1) AND state = 'completed'
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM oncely.records r
USING expired
WHERE r.tenant = expired.tenant AND r.id = expired.id";

/// The same rows as [`PRUNE`] would delete, batch after batch.
const COUNT: &str = "
SELECT count(*) FROM oncely.records
WHERE expires_at < now() - make_interval(secs => $1) AND state = 'completed'";

impl Ledger {
    /// Counts the records that batches of [`Ledger::prune`] would delete now.
    pub async fn count_expired(&self) -> Result<u64, Error> {
        let mut reader = self.reader().await?;
        let n: i64 = sqlx::query_scalar(COUNT)
            .bind(self.settings.prune_grace.as_secs_f64())
            .fetch_one(&mut *reader)
            .await
            .map_err(Error::driver(Operation::Prune))?;
        reader.finish();
        Ok(n.unsigned_abs())
    }

    /// Deletes at most one batch of expired records; returns how many it deleted, and whether
    /// the batch was full and more may be left.
    pub async fn prune(&self) -> Result<(u64, bool), Error> {
        let mut tx = self.begin().await?;
        let n_deleted = sqlx::query(PRUNE)
            .bind(self.settings.prune_grace.as_secs_f64())
            .bind(i64::from(self.settings.prune_batch))
            .execute(&mut *tx)
            .await
            .map_err(Error::driver(Operation::Prune))?
            .rows_affected();
        tx.commit().await?;
        Ok((n_deleted, n_deleted == u64::from(self.settings.prune_batch)))
    }
}
