//! What grows: what each table takes on disk, and how far it is behind its retention.

use std::time::Duration;

use uuid::Uuid;

use crate::config::Config;
use crate::domain::time_of_id;
use crate::ledger::{Error, Ledger};
use crate::telemetry::books::{self, TABLES};

/// A partitioned table is as large as its leaves.
const BYTES: &str = "
SELECT (pg_total_relation_size(whole.oid) + coalesce((
    SELECT sum(pg_total_relation_size(part.relid))
    FROM pg_partition_tree(whole.oid) AS part WHERE part.isleaf), 0))::bigint
FROM (SELECT ('oncely.' || $1)::regclass AS oid) AS whole";

/// An unfinished record expires in the year 9999.
const RECORDS: &str = "
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(expires_at)), 0)::float8
FROM oncely.records";

const OLDEST_EVENT: &str = "SELECT id FROM oncely.outbox_event ORDER BY id LIMIT 1";

const OLDEST_DONE: &str = "SELECT id FROM oncely.inbox ORDER BY id LIMIT 1";

const NOW: &str = "SELECT clock_timestamp()";

/// For how long rows are to be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    after_expiry: Duration,
    events: Duration,
    inbox: Duration,
}

impl Kept {
    /// A partition is dropped as a whole: its first row waits for its last.
    pub(super) fn of(config: &Config) -> Self {
        let (outbox, inbox) = (&config.outbox, &config.inbox);
        Self {
            after_expiry: config.ledger.prune_grace,
            events: outbox.retention + outbox.partition_span * 2,
            inbox: inbox.retention + inbox.partition_span * 2,
        }
    }
}

/// Measures each table and sets the gauges.
pub(super) async fn measure(ledger: &Ledger, kept: &Kept) -> Result<(), Error> {
    let mut reader = ledger.reader().await?;
    for table in TABLES {
        let bytes = sqlx::query_scalar(BYTES).bind(table);
        let bytes: i64 = bytes
            .fetch_one(&mut *reader)
            .await
            .map_err(Error::inspect)?;
        books::set_table_bytes(table, u64::try_from(bytes).unwrap_or(0));
    }
    let records = sqlx::query_scalar(RECORDS).fetch_one(&mut *reader).await;
    let records: f64 = records.map_err(Error::inspect)?;
    let overdue = records - kept.after_expiry.as_secs_f64();
    books::set_retention_overdue("records", overdue.max(0.0));
    let now: time::OffsetDateTime = sqlx::query_scalar(NOW)
        .fetch_one(&mut *reader)
        .await
        .map_err(Error::inspect)?;
    for (table, statement, kept) in [
        ("outbox_event", OLDEST_EVENT, kept.events),
        ("inbox", OLDEST_DONE, kept.inbox),
    ] {
        let oldest = sqlx::query_scalar(statement).fetch_optional(&mut *reader);
        let oldest: Option<Uuid> = oldest.await.map_err(Error::inspect)?;
        let age = oldest.map_or(0.0, |it| (now - time_of_id(it)).as_seconds_f64());
        books::set_retention_overdue(table, (age - kept.as_secs_f64()).max(0.0));
    }
    reader.finish();
    Ok(())
}
