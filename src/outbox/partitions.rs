//! Makes partitions ahead of time, so that the default ones stay a net.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::failure::Failure;
use super::slice::{boundary_after, suffix};
use crate::domain::{floor_id, time_of_id};
use crate::ledger::Ledger;

/// How many spans are there ahead of time, at least.
const N_AHEAD: u32 = 3;

/// The partitions of a table with their bounds, the default one left out.
const LIST: &str = r"
SELECT part.relname::text, bound.at[1]::uuid, bound.at[2]::uuid
FROM pg_inherits i
JOIN pg_class part ON part.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(part.relpartbound, part.oid),
    '^FOR VALUES FROM \(''([0-9a-f-]{36})''\) TO \(''([0-9a-f-]{36})''\)$') AS bound (at)
WHERE i.inhparent = ('oncely.' || $1)::regclass AND bound.at IS NOT NULL
ORDER BY 2";

/// A lock that is not there soon is not waited for: whoever queues behind us would wait as well.
pub(super) const IMPATIENTLY: &str = "SET LOCAL lock_timeout = '200ms'";

/// A table that is partitioned by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Event,
    Inbox,
}

/// A partition, and the ids that it holds: from `low` on, without `high`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) name: String,
    pub(super) low: Uuid,
    pub(super) high: Uuid,
}

impl Table {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Event => "outbox_event",
            Self::Inbox => "inbox",
        }
    }

    const fn is_default_empty_from(self) -> &'static str {
        match self {
            Self::Event => {
                "SELECT NOT EXISTS (SELECT 1 FROM oncely.outbox_event_default WHERE id >= $1)"
            }
            Self::Inbox => "SELECT NOT EXISTS (SELECT 1 FROM oncely.inbox_default WHERE id >= $1)",
        }
    }
}

/// The partitions of `table`, oldest first.
pub(super) async fn list(
    connection: &mut PgConnection,
    table: Table,
) -> sqlx::Result<Vec<Partition>> {
    let rows: Vec<(String, Uuid, Uuid)> = sqlx::query_as(LIST)
        .bind(table.name())
        .fetch_all(connection)
        .await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(name, low, high)| Partition { name, low, high })
        .collect())
}

/// Makes the partitions of `table` that the next spans need. Returns how many it made.
pub(super) async fn create_ahead(
    ledger: &Ledger,
    table: Table,
    span: Duration,
    now: OffsetDateTime,
) -> Result<u32, Failure> {
    let mut reader = ledger.reader().await?;
    let there = list(&mut reader, table).await?;
    reader.finish();
    let mut n_made = 0;
    let enough = now + span * N_AHEAD;
    let Some(mut low) = beginning(ledger, table, span, (now, &there)).await? else {
        return Ok(0);
    };
    while low < enough {
        let high = boundary_after(low, span);
        create(ledger, table, low, high).await?;
        n_made += 1;
        low = high;
    }
    if 0 < n_made {
        tracing::info!(table = table.name(), n_made, "made partitions");
    }
    Ok(n_made)
}

/// Where the next partition begins: where the last one ends, or else at the first boundary after now.
/// Not where the default partition holds anything at or above it: that row would have to move.
/// `None` where that is far away.
async fn beginning(
    ledger: &Ledger,
    table: Table,
    span: Duration,
    (now, there): (OffsetDateTime, &[Partition]),
) -> Result<Option<OffsetDateTime>, Failure> {
    let last = there.last().map(|it| time_of_id(it.high));
    let mut low = boundary_after(now, span).max(last.unwrap_or(OffsetDateTime::UNIX_EPOCH));
    if let Some(last) = last.filter(|it| now < *it) {
        // Beyond a partition that is there nothing is in the default one, unless a clock was wrong.
        low = last;
    }
    let mut reader = ledger.reader().await?;
    for _ in 0..N_AHEAD {
        let is_empty = sqlx::query_scalar(table.is_default_empty_from()).bind(floor_id(low));
        if is_empty.fetch_one(&mut *reader).await? {
            reader.finish();
            return Ok(Some(low));
        }
        low = boundary_after(low, span);
    }
    reader.finish();
    tracing::warn!(
        table = table.name(),
        "the default partition holds rows of the future; no partition was made"
    );
    Ok(None)
}

async fn create(
    ledger: &Ledger,
    table: Table,
    low: OffsetDateTime,
    high: OffsetDateTime,
) -> Result<(), Failure> {
    let parent = table.name();
    let name = format!("{parent}_{}", suffix(low));
    let (low, high) = (floor_id(low), floor_id(high));
    let mut tx = ledger.begin().await?;
    sqlx::query(IMPATIENTLY).execute(&mut *tx).await?;
    for statement in [
        format!("CREATE TABLE oncely.{name} (LIKE oncely.{parent} INCLUDING ALL)"),
        format!(
            "ALTER TABLE oncely.{parent} ATTACH PARTITION oncely.{name} \
             FOR VALUES FROM ('{low}') TO ('{high}')"
        ),
    ] {
        // Made of our own names, an instant and two uuids.
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *tx)
            .await?;
    }
    Ok(ledger.commit(tx).await?)
}
