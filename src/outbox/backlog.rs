//! What the database says of the backlog, for the gauges.

use super::failure::Failure;
use crate::ledger::Ledger;
use crate::telemetry::messages;

/// Up to here pending events are counted; beyond, the planner's estimate will do.
const COUNT_MAX: i64 = 100_000;

const COUNT: &str = "
SELECT count(*) FROM (SELECT 1 FROM oncely.outbox_pending LIMIT $1) counted";

const ESTIMATE: &str = "
SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'oncely.outbox_pending'::regclass";

/// The age of the oldest pending event by its id, whose time is the database's. The oldest of each
/// shard is its first: 16 steps down an index.
const LAG: &str = "
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(first.created_at)), 0)::float8
FROM generate_series(0, 15) AS every (shard)
CROSS JOIN LATERAL (
    SELECT e.created_at
    FROM (
        SELECT p.id, p.tenant FROM oncely.outbox_pending p
        WHERE p.shard = every.shard
        ORDER BY p.shard, p.position, p.tenant LIMIT 1
    ) oldest
    JOIN oncely.outbox_event e ON e.id = oldest.id AND e.tenant = oldest.tenant
) first";

/// The first event that the watermark has not passed.
const UNCONFIRMED: &str = "
SELECT coalesce((
    SELECT extract(epoch FROM clock_timestamp() - e.created_at)
    FROM oncely.outbox_event e
    WHERE e.id >= (SELECT before FROM oncely.outbox_confirmed)
    ORDER BY e.id LIMIT 1
), 0)::float8";

/// The backlog at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Backlog {
    pub(super) n_pending: u64,
    /// Seconds.
    pub(super) lag: f64,
    /// Seconds.
    pub(super) unconfirmed: f64,
}

/// Reads the backlog and sets the gauges.
pub(super) async fn measure(ledger: &Ledger) -> Result<Backlog, Failure> {
    let mut reader = ledger.reader().await?;
    let count = sqlx::query_scalar(COUNT).bind(COUNT_MAX);
    let mut n_pending: i64 = count.fetch_one(&mut *reader).await?;
    if n_pending == COUNT_MAX {
        let estimate: i64 = sqlx::query_scalar(ESTIMATE).fetch_one(&mut *reader).await?;
        n_pending = n_pending.max(estimate);
    }
    let lag: f64 = sqlx::query_scalar(LAG).fetch_one(&mut *reader).await?;
    let unconfirmed = sqlx::query_scalar(UNCONFIRMED);
    let unconfirmed: f64 = unconfirmed.fetch_one(&mut *reader).await?;
    reader.finish();
    let backlog = Backlog {
        n_pending: u64::try_from(n_pending).unwrap_or(0),
        lag: lag.max(0.0),
        unconfirmed: unconfirmed.max(0.0),
    };
    messages::set_backlog(backlog.n_pending, backlog.lag, backlog.unconfirmed);
    Ok(backlog)
}
