//! Claims messages in waiting that are due. The attempt is counted and committed before the work.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::domain::{Aggregate, Message, Tenant, Topic};
use crate::inbox::desk::{Desk, answer};
use crate::inbox::predecessor::is_next;
use crate::inbox::trouble::Trouble;

/// What an attempt may take beyond the consumer's own time, before another worker gets the message.
const MARGIN: Duration = Duration::from_secs(10);

/// A row that came early is due when its predecessor is done with, whatever its time; once claimed it
/// counts as given out, so that its lease holds. The subquery is materialized because a plan that ran
/// it twice would claim more than the limit.
const CLAIM: &str = concat!(
    "
WITH due AS MATERIALIZED (
    SELECT w.id, w.tenant
    FROM oncely.inbox_waiting AS w CROSS JOIN oncely.inbox_horizon AS h
    WHERE w.consumer = $1 AND (w.ready_at <= clock_timestamp() OR w.reason = 'gap') AND ",
    is_next!("w.tenant", "w.previous"),
    "
    ORDER BY w.ready_at, w.id
    LIMIT $2
    FOR UPDATE OF w SKIP LOCKED
)
UPDATE oncely.inbox_waiting AS w
SET attempts = w.attempts + 1,
    ready_at = clock_timestamp() + $3 * interval '1 second',
    reason = CASE w.reason WHEN 'gap' THEN 'redelivered' ELSE w.reason END
FROM due
WHERE w.consumer = $1 AND w.id = due.id AND w.tenant = due.tenant
RETURNING w.id, w.tenant, w.topic, w.kind, w.aggregate, w.seq, w.previous, w.headers::text,
    w.payload, w.created_at, w.attempts, w.last_error"
);

/// A message in waiting, leased to this worker as long as its row's attempts are these.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) message: Message,
    /// Which attempt this is, from 1.
    pub(super) attempts: i32,
    pub(super) last_error: Option<String>,
}

/// A row that is no message: somebody else has written it.
#[derive(Debug, thiserror::Error)]
#[error("oncely.inbox_waiting has a row that is no message")]
struct Odd(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Claims up to `n_max` messages that are due.
pub(super) async fn claim(desk: &Desk, n_max: i64) -> Result<Vec<Claimed>, Trouble> {
    let lease = desk.settings.handler_timeout + MARGIN;
    let mut tx = desk.begin().await?;
    let query = sqlx::query(CLAIM)
        .bind(desk.name())
        .bind(n_max)
        .bind(lease.as_secs_f64());
    let rows = answer(query.fetch_all(&mut *tx)).await?;
    desk.commit(tx).await?;
    let claimed = rows.iter().filter_map(|row| match claimed(row) {
        Ok(claimed) => Some(claimed),
        Err(error) => {
            // It stays where it is: people have to look at it.
            tracing::error!(
                consumer = desk.name(),
                error = &error as &dyn std::error::Error
            );
            None
        }
    });
    Ok(claimed.collect())
}

fn claimed(row: &PgRow) -> Result<Claimed, Odd> {
    let read = || -> Result<Claimed, Box<dyn std::error::Error + Send + Sync>> {
        let tenant = Tenant::new(row.try_get::<String, _>("tenant")?)?;
        let kind: String = row.try_get("kind")?;
        let aggregate: String = row.try_get("aggregate")?;
        let headers: BTreeMap<String, String> =
            serde_json::from_str(row.try_get::<&str, _>("headers")?)?;
        let payload: Vec<u8> = row.try_get("payload")?;
        let message = Message {
            id: row.try_get("id")?,
            topic: Topic::new(row.try_get::<String, _>("topic")?)?,
            aggregate: Aggregate::new(tenant, kind, aggregate)?,
            seq: row.try_get("seq")?,
            previous: row.try_get("previous")?,
            headers,
            payload: payload.into(),
            created_at: row.try_get("created_at")?,
        };
        Ok(Claimed {
            message,
            attempts: row.try_get("attempts")?,
            last_error: row.try_get("last_error")?,
        })
    };
    read().map_err(Odd)
}
