//! What the database says of the backlog, for the gauges.

use sqlx::PgConnection;

use crate::ledger::{Error, Ledger};
use crate::telemetry::messages;

/// Up to here pending events are counted; beyond, the planner's estimate will do.
const COUNT_MAX: i64 = 10_000;

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

/// Reads the backlog and sets the gauges.
pub(super) async fn measure(ledger: &Ledger) -> Result<(), Error> {
    let mut reader = ledger.reader().await?;
    let measured = read(&mut reader).await.map_err(Error::inspect)?;
    reader.finish();
    let (n_pending, lag, unconfirmed) = measured;
    let n_pending = u64::try_from(n_pending).unwrap_or(0);
    messages::set_backlog(n_pending, lag.max(0.0), unconfirmed.max(0.0));
    Ok(())
}

async fn read(connection: &mut PgConnection) -> sqlx::Result<(i64, f64, f64)> {
    let count = sqlx::query_scalar(COUNT).bind(COUNT_MAX);
    let mut n_pending: i64 = count.fetch_one(&mut *connection).await?;
    if n_pending == COUNT_MAX {
        let estimate: i64 = sqlx::query_scalar(ESTIMATE)
            .fetch_one(&mut *connection)
            .await?;
        n_pending = n_pending.max(estimate);
    }
    let lag = sqlx::query_scalar(LAG).fetch_one(&mut *connection).await?;
    let unconfirmed = sqlx::query_scalar(UNCONFIRMED)
        .fetch_one(connection)
        .await?;
    Ok((n_pending, lag, unconfirmed))
}
