//! Reads and raises the ledger's epoch.

use super::connection::Ledger;
use super::error::{Class, Error, Operation};
use super::reader::Reader;
use crate::domain::Epoch;

/// The timeline comes from the log's file name, because `pg_control_checkpoint()` still shows the
/// old one after a promotion, until the next checkpoint.
const READ: &str = "
SELECT number, CASE WHEN pg_is_in_recovery() THEN NULL
                    ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END
FROM oncely.epoch";

/// The epoch where the server has no timeline to read: an engine that only speaks the protocol.
const READ_NUMBER: &str = "SELECT number, '00000000' FROM oncely.epoch";

/// Never goes back, whatever the clock does.
const RAISE: &str = "
UPDATE oncely.epoch
SET number = greatest(number + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint), changed_at = now()
RETURNING number";

/// The function is not known, or this role may not call it.
const NO_TIMELINE: [&str; 3] = ["42883", "42501", "0A000"];

/// The server is a standby; it may show commits late, and it takes no writes.
#[derive(Debug, thiserror::Error)]
#[error("the database is a read replica; the ledger must be the primary")]
struct InRecovery;

impl Ledger {
    /// Reads the epoch. Fails on a standby.
    pub async fn epoch(&self) -> Result<Epoch, Error> {
        match self.read_epoch(READ).await? {
            Err(sqlx::Error::Database(error))
                if error.code().is_some_and(|it| NO_TIMELINE.contains(&&*it)) =>
            {
                self.read_epoch(READ_NUMBER).await?
            }
            other => other,
        }
        .map_err(Error::driver(Operation::Epoch))
        .and_then(|(number, timeline)| {
            let timeline = timeline
                .ok_or_else(|| Error::new(Operation::Epoch, Class::Transient, InRecovery))?;
            let timeline = u32::from_str_radix(&timeline, 16)
                .map_err(|cause| Error::new(Operation::Epoch, Class::Permanent, cause))?;
            Ok(Epoch { number, timeline })
        })
    }

    /// Starts a new epoch and returns its number: every answer in Redis is stale from now on.
    pub async fn new_epoch(&self) -> Result<i64, Error> {
        let mut tx = self.begin().await?;
        let number = sqlx::query_scalar(RAISE)
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::driver(Operation::Epoch))?;
        tx.commit().await?;
        Ok(number)
    }

    async fn read_epoch(
        &self,
        statement: &'static str,
    ) -> Result<sqlx::Result<(i64, Option<String>)>, Error> {
        let mut reader = Reader::borrow(&self.watch, Operation::Epoch).await?;
        let read = sqlx::query_as(statement).fetch_one(&mut *reader).await;
        reader.finish();
        Ok(read)
    }
}
