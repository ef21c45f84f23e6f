//! Claims what is pending by its state, never by a cursor: a lower position may commit later.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::lease::Held;
use crate::domain::{Aggregate, Message, Tenant, Topic};

/// For each shard its first due rows, in their order. The limit inside `LATERAL` keeps every plan to
/// one walk along the primary key for each shard: no plan can read the table first.
pub(super) const CLAIM: &str = "
SELECT due.shard, due.position, due.tenant, due.id, due.seq, due.aggregate_hash, due.attempts
FROM unnest($1::smallint[], $2::bigint[]) AS mine (shard, low)
CROSS JOIN LATERAL (
    SELECT p.shard, p.position, p.tenant, p.id, p.seq, p.aggregate_hash, p.attempts
    FROM oncely.outbox_pending p
    WHERE p.shard = mine.shard AND p.position >= mine.low AND p.position <= $3
      AND (p.next_at IS NULL OR p.next_at <= clock_timestamp())
    ORDER BY p.shard, p.position, p.tenant
    LIMIT $4
) due
LIMIT $4";

/// For each shard its first due row, read from the very beginning. Every position is above nought; to
/// say so makes the planner expect few rows, and walk along the key instead of sorting a shard.
pub(super) const SCAN: &str = "
SELECT mine.shard, first.position
FROM unnest($1::smallint[]) AS mine (shard)
CROSS JOIN LATERAL (
    SELECT p.position
    FROM oncely.outbox_pending p
    WHERE p.shard = mine.shard AND p.position >= 0 AND p.position <= 9223372036854775807
      AND (p.next_at IS NULL OR p.next_at <= clock_timestamp())
    ORDER BY p.shard, p.position, p.tenant
    LIMIT 1
) first";

/// The bounds are beside the list because only they choose the partitions.
pub(super) const READ: &str = "
SELECT e.id, e.tenant, e.topic, e.kind, e.aggregate, e.seq, e.previous, e.headers::text AS headers,
    e.payload, e.created_at
FROM oncely.outbox_event e
WHERE e.id >= $1 AND e.id <= $2 AND e.id = ANY($3)";

/// Which of these aggregates have something pending that is not above `$2`.
const OLDER: &str = "
SELECT DISTINCT p.aggregate_hash FROM oncely.outbox_pending p
WHERE p.shard = ANY($1) AND p.position <= $2 AND p.aggregate_hash = ANY($3)";

const LAST_POSITION: &str = "SELECT last_value FROM oncely.outbox_position";

/// The statements that must never read a whole table, for a test that asks for their plans: the
/// claim, the scan and the read of events.
#[cfg(feature = "testkit")]
pub fn statements() -> [&'static str; 3] {
    [CLAIM, SCAN, READ]
}

/// An event that no broker has yet.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Pending {
    pub(super) shard: i16,
    pub(super) position: i64,
    pub(super) tenant: String,
    pub(super) id: Uuid,
    pub(super) seq: i64,
    pub(super) aggregate_hash: i64,
    pub(super) attempts: i16,
}

/// Why a row of the log is no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the event is not in the log")]
    Missing,
    #[error("the event can't be told: {0}")]
    Malformed(String),
}

/// Where to look: from which position on in each shard, and how far.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) shards: &'a [Held],
    /// From where on, for each of `shards`.
    pub(super) lows: Vec<i64>,
    pub(super) through: i64,
    pub(super) n_max: u32,
}

pub(super) async fn claim(
    connection: &mut PgConnection,
    look: Look<'_>,
) -> sqlx::Result<Vec<Pending>> {
    let shards: Vec<i16> = look.shards.iter().map(|it| it.shard).collect();
    sqlx::query_as(CLAIM)
        .bind(shards)
        .bind(look.lows)
        .bind(look.through)
        .bind(i64::from(look.n_max))
        .fetch_all(connection)
        .await
}

/// The first due position of each shard that has one.
pub(super) async fn scan(
    connection: &mut PgConnection,
    shards: &[Held],
) -> sqlx::Result<BTreeMap<i16, i64>> {
    let shards: Vec<i16> = shards.iter().map(|it| it.shard).collect();
    let rows: Vec<(i16, i64)> = sqlx::query_as(SCAN)
        .bind(shards)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().collect())
}

/// The highest position that was ever taken.
pub(super) async fn last_position(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar(LAST_POSITION)
        .fetch_one(connection)
        .await
}

/// Leaves out those of `fresh` that have an older event of their aggregate in the backlog. One scan
/// of the backlog for the whole batch, and none where each is its aggregate's first.
pub(super) async fn without_older(
    connection: &mut PgConnection,
    fence: i64,
    fresh: Vec<Pending>,
) -> sqlx::Result<Vec<Pending>> {
    let later: Vec<&Pending> = fresh.iter().filter(|it| 1 < it.seq).collect();
    if later.is_empty() {
        return Ok(fresh);
    }
    let shards: Vec<i16> = later.iter().map(|it| it.shard).collect();
    let hashes: Vec<i64> = later.iter().map(|it| it.aggregate_hash).collect();
    let waited_for: Vec<i64> = sqlx::query_scalar(OLDER)
        .bind(shards)
        .bind(fence)
        .bind(hashes)
        .fetch_all(connection)
        .await?;
    let may = |it: &Pending| it.seq == 1 || !waited_for.contains(&it.aggregate_hash);
    Ok(fresh.into_iter().filter(may).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant: String,
    topic: String,
    kind: String,
    aggregate: String,
    seq: i64,
    previous: Option<Uuid>,
    headers: String,
    payload: Vec<u8>,
    created_at: OffsetDateTime,
}

/// The events of `pending`, in its order.
pub(super) async fn read(
    connection: &mut PgConnection,
    pending: Vec<Pending>,
) -> sqlx::Result<Vec<(Pending, Result<Message, Unreadable>)>> {
    let ids: Vec<Uuid> = pending.iter().map(|it| it.id).collect();
    let (low, high) = (ids.iter().min().copied(), ids.iter().max().copied());
    let (Some(low), Some(high)) = (low, high) else {
        return Ok(Vec::new());
    };
    let rows: Vec<Row> = sqlx::query_as(READ)
        .bind(low)
        .bind(high)
        .bind(ids)
        .fetch_all(connection)
        .await?;
    let mut rows: BTreeMap<Uuid, Row> = rows.into_iter().map(|it| (it.id, it)).collect();
    let told = pending.into_iter().map(|it| {
        let row = rows.remove(&it.id).ok_or(Unreadable::Missing);
        let message = row.and_then(message);
        (it, message)
    });
    Ok(told.collect())
}

fn message(row: Row) -> Result<Message, Unreadable> {
    fn malformed(error: impl std::fmt::Display) -> Unreadable {
        Unreadable::Malformed(error.to_string())
    }
    let tenant = Tenant::new(row.tenant).map_err(malformed)?;
    let aggregate = Aggregate::new(tenant, row.kind, row.aggregate).map_err(malformed)?;
    Ok(Message {
        id: row.id,
        topic: Topic::new(row.topic).map_err(malformed)?,
        aggregate,
        seq: row.seq,
        previous: row.previous,
        headers: serde_json::from_str(&row.headers).map_err(malformed)?,
        payload: row.payload.into(),
        created_at: row.created_at,
    })
}
