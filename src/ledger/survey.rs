//! Counts what stands in the ledger as a whole: what waits for somebody, and what should be gone.

use serde::Serialize;
use sqlx::FromRow;

use super::connection::Ledger;
use super::error::{Error, Operation};

/// Rows are counted up to here: more than that only means "many", and each count is an index's.
const COUNTED_MAX: i64 = 100_000;

/// Indexes: `records_unknown`, `records_lease`, `records_expires_at`. $2 is how long after its end a
/// lease is still nobody's fault, $3 how long after its end a record may still be there.
const SURVEY: &str = "
SELECT (SELECT count(*) FROM (
        SELECT FROM oncely.records WHERE state = 'unknown' LIMIT $1) AS counted) AS unknown,
    (SELECT extract(epoch FROM now() - min(created_at))::float8
     FROM oncely.records WHERE state = 'unknown') AS unknown_seconds,
    (SELECT count(*) FROM (
        SELECT FROM oncely.records WHERE state = 'leased' LIMIT $1) AS counted) AS leased,
    (SELECT count(*) FROM (
        SELECT FROM oncely.records
        WHERE state = 'leased' AND lease_expires_at < now() - make_interval(secs => $2)
        LIMIT $1) AS counted) AS abandoned,
    (SELECT count(*) FROM (
        SELECT FROM oncely.records
        WHERE expires_at < now() - make_interval(secs => $3) AND state = 'completed'
        LIMIT $1) AS counted) AS expired,
    (SELECT extract(epoch FROM now() - min(expires_at))::float8
     FROM oncely.records WHERE expires_at < now()) AS expired_seconds,
    (SELECT greatest(reltuples, 0)::bigint FROM pg_catalog.pg_class
     WHERE oid = 'oncely.records'::regclass) AS records_estimate,
    pg_total_relation_size('oncely.records') AS bytes";

/// The ledger as a whole. No count is over a hundred thousand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, FromRow)]
pub struct Survey {
    /// Records that wait for an operator.
    pub unknown: i64,
    /// Age of the oldest of them in seconds.
    pub unknown_seconds: Option<f64>,
    /// Leased operations that are under way, or abandoned.
    pub leased: i64,
    /// Those whose lease ended longer ago than a rescue takes.
    pub abandoned: i64,
    /// Records that the sweeper should have deleted.
    pub expired: i64,
    /// How long ago the oldest record that is still there has expired, in seconds.
    pub expired_seconds: Option<f64>,
    /// How many records there are, as the planner estimates.
    pub records_estimate: i64,
    /// The table with its indexes.
    pub bytes: i64,
}

impl Ledger {
    /// Counts what waits and what should be gone, each with a grace for what does it.
    pub async fn survey(&self) -> Result<Survey, Error> {
        let settings = &self.settings;
        let rescue = settings.rescue_interval.saturating_mul(2);
        let sweep = settings
            .prune_interval
            .saturating_mul(2)
            .saturating_add(settings.prune_grace);
        let mut reader = self.reader().await?;
        let survey = sqlx::query_as(SURVEY)
            .bind(COUNTED_MAX)
            .bind(rescue.as_secs_f64())
            .bind(sweep.as_secs_f64())
            .fetch_one(&mut *reader)
            .await
            .map_err(Error::driver(Operation::Inspect))?;
        reader.finish();
        Ok(survey)
    }
}
