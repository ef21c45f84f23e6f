//! What is under way for long, and what waits for an operator.

use crate::ledger::{Error, Ledger};
use crate::telemetry::books;

/// Whoever holds a key, holds an advisory lock within a transaction, or a lease. What other roles do in
/// this database shows only to a member of `pg_read_all_stats`.
const OPEN: &str = "
SELECT coalesce(greatest(
        (SELECT max(extract(epoch FROM clock_timestamp() - a.xact_start))
         FROM pg_stat_activity a
         WHERE a.datname = current_database() AND EXISTS (
            SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted)),
        (SELECT max(extract(epoch FROM clock_timestamp() - r.created_at))
         FROM oncely.records r WHERE r.state = 'leased')
    ), 0)::float8,
    (SELECT count(*) FROM oncely.records WHERE state = 'unknown'),
    (SELECT count(*) FROM oncely.records
     WHERE state = 'leased' AND lease_expires_at < clock_timestamp()),
    (SELECT count(*) FROM oncely.dead_letter WHERE state = 'dead')";

/// Reads them and sets the gauges.
pub(super) async fn measure(ledger: &Ledger) -> Result<(), Error> {
    let mut reader = ledger.reader().await?;
    let row = sqlx::query_as(OPEN).fetch_one(&mut *reader).await;
    let (in_flight, unknown, overdue, dead): (f64, i64, i64, i64) = row.map_err(Error::inspect)?;
    reader.finish();
    let counted = [unknown, overdue, dead].map(|it| u64::try_from(it).unwrap_or(0));
    books::set_open(in_flight.max(0.0), counted);
    Ok(())
}
