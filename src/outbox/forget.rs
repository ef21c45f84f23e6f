//! Drops what is confirmed and old: partitions whole, rows of the default ones in batches.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

use super::failure::Failure;
use super::partitions::{IMPATIENTLY, Partition, Table, list};
use super::reconcile::{REPUBLISH, confirmed_before};
use super::slice::boundary_before;
use crate::domain::{floor_id, time_of_id};
use crate::ledger::{Ledger, Tx};
use crate::telemetry::messages::{self, Cause};

/// The most rows that one statement deletes.
const BATCH: i64 = 1_000;

/// For so long a raised horizon is only announced: no transaction that knows the old one lives as
/// long.
const ANNOUNCED: Duration = Duration::from_mins(5);

/// How long a dead letter stays that was dealt with.
const DEALT_WITH: Duration = Duration::from_hours(30 * 24);

/// Whether some event of a partition still has to be told. A consumer that came later than the event
/// does not have to have it.
const IS_NEEDED: &str = "
SELECT EXISTS (
    SELECT 1 FROM oncely.outbox_event e
    WHERE e.id >= $1 AND e.id < $2 AND (
        EXISTS (
            SELECT 1 FROM oncely.outbox_pending p
            WHERE p.shard = e.shard AND p.position = e.position AND p.tenant = e.tenant
        ) OR EXISTS (
            -- It can be redriven only while it is in the log.
            SELECT 1 FROM oncely.dead_letter d
            WHERE d.consumer = 'relay' AND d.id = e.id AND d.tenant = e.tenant AND d.state = 'dead'
        ) OR EXISTS (
            SELECT 1 FROM oncely.inbox_consumer c
            WHERE c.topic = e.topic AND c.since <= e.created_at AND NOT EXISTS (
                SELECT 1 FROM oncely.inbox i
                WHERE i.id = e.id AND i.consumer = c.consumer AND i.tenant = e.tenant
                  AND i.id >= $1 AND i.id < $2
            ) AND NOT EXISTS (
                SELECT 1 FROM oncely.dead_letter d
                WHERE d.consumer IN (c.consumer, 'relay') AND d.id = e.id AND d.tenant = e.tenant
                  AND d.state IN ('dead', 'discarded')
            )
        )
    )
)";

/// Rows of the default partition that are confirmed and old. What is pending stays.
const DELETE_EVENTS: &str = "
DELETE FROM oncely.outbox_event_default gone
USING (
    SELECT e.id, e.tenant FROM oncely.outbox_event_default e
    WHERE e.id < $1 AND NOT EXISTS (
        SELECT 1 FROM oncely.outbox_pending p
        WHERE p.shard = e.shard AND p.position = e.position AND p.tenant = e.tenant
    ) AND NOT EXISTS (
        SELECT 1 FROM oncely.dead_letter d
        WHERE d.consumer = 'relay' AND d.id = e.id AND d.tenant = e.tenant AND d.state = 'dead'
    ) AND NOT EXISTS (
        SELECT 1 FROM oncely.inbox_consumer c
        WHERE c.topic = e.topic AND c.since <= e.created_at AND NOT EXISTS (
            SELECT 1 FROM oncely.inbox i
            WHERE i.id = e.id AND i.consumer = c.consumer AND i.tenant = e.tenant
        ) AND NOT EXISTS (
            SELECT 1 FROM oncely.dead_letter d
            WHERE d.consumer IN (c.consumer, 'relay') AND d.id = e.id AND d.tenant = e.tenant
              AND d.state IN ('dead', 'discarded')
        )
    )
    ORDER BY e.id LIMIT $2
) old
WHERE gone.id = old.id AND gone.tenant = old.tenant";

const DELETE_INBOX: &str = "
DELETE FROM oncely.inbox_default gone
USING (
    SELECT i.id, i.consumer, i.tenant FROM oncely.inbox_default i
    WHERE i.id < $1 ORDER BY i.id LIMIT $2
) old
WHERE gone.id = old.id AND gone.consumer = old.consumer AND gone.tenant = old.tenant";

const DELETE_DEAD: &str = "
DELETE FROM oncely.dead_letter gone
USING (
    SELECT d.consumer, d.id, d.tenant FROM oncely.dead_letter d
    WHERE d.state <> 'dead' AND d.dead_at < now() - make_interval(secs => $1) LIMIT $2
) old
WHERE gone.consumer = old.consumer AND gone.id = old.id AND gone.tenant = old.tenant";

const HORIZON: &str = "
SELECT id, raised_at < clock_timestamp() - make_interval(secs => $1) FROM oncely.inbox_horizon";

const RAISE_HORIZON: &str = "
UPDATE oncely.inbox_horizon SET id = $1, raised_at = now() WHERE id < $1";

/// Drops the partitions of the log that are older than `retention` and confirmed, and deletes such
/// rows of the default one. Returns how many partitions it dropped.
pub(super) async fn forget_events(
    ledger: &Ledger,
    retention: Duration,
    now: OffsetDateTime,
) -> Result<u32, Failure> {
    let old = floor_id(now - retention);
    let mut reader = ledger.reader().await?;
    let there = list(&mut reader, Table::Event).await?;
    reader.finish();
    let mut n_dropped = 0;
    for partition in there.into_iter().filter(|it| it.high <= old) {
        n_dropped += u32::from(drop_events(ledger, &partition).await?);
    }
    let confirmed = confirmed_before(ledger).await?.min(old);
    delete(ledger, DELETE_EVENTS, confirmed).await?;
    Ok(n_dropped)
}

/// Drops one partition, unless an event in it still has to be told; those are published again.
async fn drop_events(ledger: &Ledger, partition: &Partition) -> Result<bool, Failure> {
    let mut tx = ledger.begin().await?;
    sqlx::query(IMPATIENTLY).execute(&mut *tx).await?;
    let lock = format!("LOCK TABLE oncely.{} IN SHARE MODE", partition.name);
    sqlx::query(AssertSqlSafe(lock)).execute(&mut *tx).await?;
    let bounds = sqlx::query_scalar(IS_NEEDED);
    let is_needed: bool = bounds
        .bind(partition.low)
        .bind(partition.high)
        .fetch_one(&mut *tx)
        .await?;
    // Above the watermark the reconciler has not looked yet, or has found something.
    let is_confirmed = partition.high <= confirmed_before(ledger).await?;
    if is_needed {
        let republish = sqlx::query(REPUBLISH)
            .bind(partition.low)
            .bind(partition.high);
        let republish = republish.bind(Vec::<String>::new()).bind(Uuid::nil());
        let n = republish.execute(&mut *tx).await?.rows_affected();
        ledger.commit(tx).await?;
        messages::republished(Cause::Reconcile, n);
        tracing::warn!(
            partition = partition.name,
            n,
            "not dropped: not all is confirmed"
        );
        return Ok(false);
    }
    if !is_confirmed {
        ledger.rollback(tx).await?;
        return Ok(false);
    }
    drop_table(&mut tx, &partition.name).await?;
    ledger.commit(tx).await?;
    tracing::info!(partition = partition.name, "dropped");
    Ok(true)
}

/// Raises the horizon of the inbox, by whole partitions, and drops what is below one that was raised
/// long enough ago. Returns how many partitions it dropped.
pub(super) async fn forget_inbox(
    ledger: &Ledger,
    (retention, span): (Duration, Duration),
    now: OffsetDateTime,
) -> Result<u32, Failure> {
    let mut reader = ledger.reader().await?;
    let horizon = sqlx::query_as(HORIZON).bind(ANNOUNCED.as_secs_f64());
    let (horizon, is_announced): (Uuid, bool) = horizon.fetch_one(&mut *reader).await?;
    let there = list(&mut reader, Table::Inbox).await?;
    reader.finish();
    if !is_announced {
        return Ok(0);
    }
    let mut n_dropped = 0;
    for partition in there.into_iter().filter(|it| it.high <= horizon) {
        let mut tx = ledger.begin().await?;
        sqlx::query(IMPATIENTLY).execute(&mut *tx).await?;
        drop_table(&mut tx, &partition.name).await?;
        ledger.commit(tx).await?;
        n_dropped += 1;
    }
    delete(ledger, DELETE_INBOX, horizon).await?;
    let confirmed = time_of_id(confirmed_before(ledger).await?);
    let wanted = floor_id(boundary_before((now - retention).min(confirmed), span));
    if horizon < wanted {
        let mut tx = ledger.begin().await?;
        let raise = sqlx::query(RAISE_HORIZON).bind(wanted);
        raise.execute(&mut *tx).await?;
        ledger.commit(tx).await?;
    }
    Ok(n_dropped)
}

/// Deletes dead letters that were dealt with long ago.
pub(super) async fn forget_dead_letters(ledger: &Ledger) -> Result<(), Failure> {
    let mut tx = ledger.begin().await?;
    let delete = sqlx::query(DELETE_DEAD).bind(DEALT_WITH.as_secs_f64());
    delete.bind(BATCH).execute(&mut *tx).await?;
    Ok(ledger.commit(tx).await?)
}

async fn drop_table(tx: &mut Tx, name: &str) -> Result<(), Failure> {
    // The name is the catalogue's, and was made by us.
    let statement = format!("DROP TABLE oncely.{name}");
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Runs `statement` for what is below `before`, batch after batch until one is not full.
async fn delete(ledger: &Ledger, statement: &'static str, before: Uuid) -> Result<(), Failure> {
    loop {
        let mut tx = ledger.begin().await?;
        let delete = sqlx::query(statement).bind(before).bind(BATCH);
        let n = delete.execute(&mut *tx).await?.rows_affected();
        ledger.commit(tx).await?;
        if n < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
