//! Settles what was published or refused: only while the shard is still ours.

use std::time::Duration;

use uuid::Uuid;

use super::claim::Pending;
use super::failure::Failure;
use super::lease::Held;
use crate::backoff::{Backoff, draw};
use crate::ledger::{Ledger, Tx};

/// Which of our shards are still ours. Locked against a take-over until the transaction ends.
const HOLD: &str = "
SELECT held.shard
FROM oncely.outbox_shard held
JOIN unnest($2::smallint[], $3::bigint[]) AS mine (shard, fence)
  ON held.shard = mine.shard AND held.fence = mine.fence
WHERE held.owner = $1 AND clock_timestamp() < held.lease_until
ORDER BY held.shard
FOR SHARE OF held";

/// Deletes what is published. The fence is asked for in the statement itself.
const DELETE: &str = "
WITH held AS MATERIALIZED (
    SELECT held.shard
    FROM oncely.outbox_shard held
    JOIN unnest($2::smallint[], $3::bigint[]) AS mine (shard, fence)
      ON held.shard = mine.shard AND held.fence = mine.fence
    WHERE held.owner = $1 AND clock_timestamp() < held.lease_until
    ORDER BY held.shard
    FOR SHARE OF held
)
DELETE FROM oncely.outbox_pending p
USING unnest($4::smallint[], $5::bigint[], $6::text[]) AS done (shard, position, tenant), held
WHERE p.shard = done.shard AND p.position = done.position AND p.tenant = done.tenant
  AND held.shard = done.shard";

/// Counts an attempt and sets the time of the next one.
const REFUSE: &str = "
UPDATE oncely.outbox_pending
SET attempts = attempts + 1, last_error = $4,
    next_at = clock_timestamp() + make_interval(secs => $5)
WHERE shard = $1 AND position = $2 AND tenant = $3
RETURNING attempts";

/// The event whole, as people need it to decide. One that was driven again and failed again is dead
/// again.
const BURY: &str = "
INSERT INTO oncely.dead_letter AS it
    (consumer, id, tenant, topic, kind, aggregate, seq, previous, headers, payload, created_at,
     reason, attempts, error)
SELECT 'relay', e.id, e.tenant, e.topic, e.kind, e.aggregate, e.seq, e.previous, e.headers,
    e.payload, e.created_at, 'unpublishable', $3, $4
FROM oncely.outbox_event e
WHERE e.id = $1 AND e.tenant = $2
ON CONFLICT (consumer, id, tenant) DO UPDATE
SET state = 'dead', reason = excluded.reason, attempts = excluded.attempts, error = excluded.error,
    dead_at = now()";

const FORGET: &str = "
DELETE FROM oncely.outbox_pending WHERE shard = $1 AND position = $2 AND tenant = $3";

/// The longest wait after a first refusal; doubled with each further one.
const BACKOFF_BASE: Duration = Duration::from_millis(500);

/// The longest wait of all.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

const BACKOFF: Backoff = Backoff::new(BACKOFF_BASE, BACKOFF_MAX);

/// What came of a batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The broker has them.
    pub(super) published: Vec<Pending>,
    /// The broker refuses these, and says why.
    pub(super) refused: Vec<(Pending, String)>,
    /// There is no event to publish.
    pub(super) orphans: Vec<Pending>,
}

/// What was settled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    /// Rows that are pending no more because the broker has them.
    pub(super) n_published: u64,
    /// Rows that became dead letters.
    pub(super) n_dead: u64,
}

/// Settles `outcome` for the shards of `owner`. What is in a shard that is no longer ours stays as it
/// is: its new owner publishes it again.
pub(super) async fn settle(
    ledger: &Ledger,
    (owner, held): (Uuid, &[Held]),
    outcome: &Outcome,
    attempts_max: u32,
) -> Result<Settled, Failure> {
    let mut tx = ledger.begin().await?;
    let shards: Vec<i16> = held.iter().map(|it| it.shard).collect();
    let fences: Vec<i64> = held.iter().map(|it| it.fence).collect();
    let gone = || outcome.published.iter().chain(&outcome.orphans);
    let deleted = sqlx::query(DELETE)
        .bind(owner)
        .bind(&shards)
        .bind(&fences)
        .bind(gone().map(|it| it.shard).collect::<Vec<_>>())
        .bind(gone().map(|it| it.position).collect::<Vec<_>>())
        .bind(gone().map(|it| it.tenant.clone()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    let mut settled = Settled {
        n_published: deleted.rows_affected(),
        n_dead: 0,
    };
    if !outcome.refused.is_empty() {
        let still = sqlx::query_scalar(HOLD).bind(owner).bind(shards);
        let ours: Vec<i16> = still.bind(fences).fetch_all(&mut *tx).await?;
        for (pending, error) in &outcome.refused {
            if ours.contains(&pending.shard) {
                settled.n_dead += refuse(&mut tx, pending, error, attempts_max).await?;
            }
        }
    }
    ledger.commit(tx).await?;
    Ok(settled)
}

/// Counts a refusal; 1 where it was the last one.
async fn refuse(
    tx: &mut Tx,
    pending: &Pending,
    error: &str,
    attempts_max: u32,
) -> Result<u64, Failure> {
    let wait = wait(pending.attempts, draw());
    let counted: Option<i16> = sqlx::query_scalar(REFUSE)
        .bind(pending.shard)
        .bind(pending.position)
        .bind(&pending.tenant)
        .bind(error)
        .bind(wait.as_secs_f64())
        .fetch_optional(&mut **tx)
        .await?;
    let attempts = counted.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    if attempts < attempts_max {
        return Ok(0);
    }
    sqlx::query(BURY)
        .bind(pending.id)
        .bind(&pending.tenant)
        .bind(i32::try_from(attempts).unwrap_or(i32::MAX))
        .bind(error)
        .execute(&mut **tx)
        .await?;
    let forget = sqlx::query(FORGET).bind(pending.shard);
    let forget = forget.bind(pending.position).bind(&pending.tenant);
    forget.execute(&mut **tx).await?;
    Ok(1)
}

/// The wait after an event was refused `n_refused` times before.
fn wait(n_refused: i16, draw: u64) -> Duration {
    BACKOFF.delay(u32::try_from(n_refused).unwrap_or(0), draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_by_chance_below_a_bound_that_doubles() {
        assert_eq!(wait(0, u64::MAX), BACKOFF_BASE);
        assert_eq!(wait(1, u64::MAX), BACKOFF_BASE * 2);
        assert_eq!(wait(3, 1 << 63), BACKOFF_BASE * 4);
        assert_eq!(wait(i16::MAX, u64::MAX), BACKOFF_MAX);
        assert_eq!(wait(5, 0), Duration::ZERO);
    }
}
