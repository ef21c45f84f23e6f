//! Finds events that some consumer does not have, and makes them pending again.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::failure::Failure;
use super::slice::{Slice, minute, slice};
use crate::domain::{floor_id, time_of_id};
use crate::ledger::Ledger;
use crate::telemetry::messages::{self, Cause};

/// How many events one statement looks at.
const EVENTS_MAX: i64 = 5_000;

/// The longest that a slice waits to be published again; what is lost again and again is in the logs.
const BACKOFF_MAX: Duration = Duration::from_hours(1);

const BEFORE: &str = "SELECT before FROM oncely.outbox_confirmed";

const FIRST: &str = "
SELECT e.id FROM oncely.outbox_event e WHERE e.id >= $1 AND e.id < $2 ORDER BY e.id LIMIT 1";

const CUT: &str = "
SELECT e.id FROM oncely.outbox_event e WHERE e.id >= $1 AND e.id < $2 ORDER BY e.id OFFSET $3 LIMIT 1";

/// Whether anything in the slice is still on its way: pending, or neither applied nor given up by one
/// of its consumers. What a consumer has set aside is on its way too.
pub(super) const IS_OPEN: &str = "
SELECT EXISTS (
    SELECT 1 FROM oncely.outbox_event e
    WHERE e.id >= $1 AND e.id < $2 AND (
        EXISTS (
            SELECT 1 FROM oncely.outbox_pending p
            WHERE p.shard = e.shard AND p.position = e.position AND p.tenant = e.tenant
        ) OR EXISTS (
            SELECT 1 FROM oncely.inbox_consumer c
            WHERE c.topic = e.topic AND NOT EXISTS (
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

/// The aggregate's number is not in the log: it is made here as `Aggregate::hash` makes it.
///
/// A row whose consumer has set it aside is not missing, and what is pending is on its way. A topic
/// whose consumers are far behind is left out until its events are old: they are most likely in the
/// queue, and another copy would only make it longer.
pub(super) const REPUBLISH: &str = "
INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
SELECT e.shard, e.position, e.tenant, e.id, e.seq,
    ('x' || encode(substring(sha256(
        '\\x01'::bytea
        || int4send(octet_length(e.tenant)) || convert_to(e.tenant, 'UTF8')
        || int4send(octet_length(e.kind)) || convert_to(e.kind, 'UTF8')
        || int4send(octet_length(e.aggregate)) || convert_to(e.aggregate, 'UTF8')
    ) FROM 1 FOR 8), 'hex'))::bit(64)::bigint
FROM oncely.outbox_event e
WHERE e.id >= $1 AND e.id < $2 AND (e.topic <> ALL($3) OR e.id < $4) AND EXISTS (
    SELECT 1 FROM oncely.inbox_consumer c
    WHERE c.topic = e.topic AND NOT EXISTS (
        SELECT 1 FROM oncely.inbox i
        WHERE i.id = e.id AND i.consumer = c.consumer AND i.tenant = e.tenant
          AND i.id >= $1 AND i.id < $2
    ) AND NOT EXISTS (
        SELECT 1 FROM oncely.inbox_waiting w
        WHERE w.consumer = c.consumer AND w.id = e.id AND w.tenant = e.tenant
    ) AND NOT EXISTS (
        SELECT 1 FROM oncely.dead_letter d
        WHERE d.consumer IN (c.consumer, 'relay') AND d.id = e.id AND d.tenant = e.tenant
          AND d.state IN ('dead', 'discarded')
    )
)
ON CONFLICT DO NOTHING";

const RAISE: &str = "
UPDATE oncely.outbox_confirmed SET before = $1, changed_at = now() WHERE before < $1";

/// What of each minute was published again already, and when it may be once more.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<i64, Repeated>);

#[derive(Debug)]
struct Repeated {
    times: u32,
    not_before: Instant,
    /// Up to here it was published again. What comes after it was sealed since, and waits for nothing.
    through: Uuid,
}

/// What a round of reconciling goes by.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) cause: Cause,
    /// Older than this is looked at, by the database's clock.
    pub(super) sealed: OffsetDateTime,
    /// Topics whose consumers are far behind.
    pub(super) behind: Vec<String>,
    /// Older than this is published again though its consumers are far behind.
    pub(super) anyway: OffsetDateTime,
    /// The first wait before a slice is published once more.
    pub(super) pause: Duration,
}

impl Repeats {
    /// What of `slice` may be published again: all of it, and then the next wait is twice as long; or
    /// what was not yet.
    fn admit(&mut self, slice: Slice, pause: Duration, now: Instant) -> Option<Slice> {
        let repeated = self.0.entry(minute(slice.low)).or_insert(Repeated {
            times: 0,
            not_before: now,
            through: slice.low,
        });
        let low = if repeated.not_before <= now {
            let wait = pause.saturating_mul(1 << repeated.times.min(16));
            repeated.times += 1;
            repeated.not_before = now + wait.min(BACKOFF_MAX);
            slice.low
        } else {
            slice.low.max(repeated.through)
        };
        repeated.through = repeated.through.max(slice.high);
        (low < slice.high).then_some(Slice { low, ..slice })
    }

    fn forget(&mut self, before: Uuid) {
        let before = minute(before);
        self.0.retain(|it, _| before <= *it);
    }
}

/// Every event with a lower id is confirmed.
pub(super) async fn confirmed_before(ledger: &Ledger) -> Result<Uuid, Failure> {
    let mut reader = ledger.reader().await?;
    let before = sqlx::query_scalar(BEFORE).fetch_one(&mut *reader).await?;
    reader.finish();
    Ok(before)
}

/// Looks at all slices from the watermark to `round.sealed`, one by one; publishes again what is
/// missing, and raises the watermark over what is confirmed without a gap. Returns how many events
/// are pending again.
pub(super) async fn reconcile(
    ledger: &Ledger,
    round: &Round,
    repeats: &mut Repeats,
) -> Result<u64, Failure> {
    let mut from = confirmed_before(ledger).await?;
    repeats.forget(from);
    let (sealed, mut is_whole, mut n_all) = (floor_id(round.sealed), true, 0);
    while let Some(next) = cut(ledger, from, round.sealed).await? {
        let mut tx = ledger.begin().await?;
        let is_open = sqlx::query_scalar(IS_OPEN).bind(next.low).bind(next.high);
        let is_open: bool = is_open.fetch_one(&mut *tx).await?;
        let admitted = match round.cause {
            _ if !is_open => None,
            Cause::Broker => Some(next),
            Cause::Reconcile | Cause::Gap => repeats.admit(next, round.pause, Instant::now()),
        };
        if let Some(part) = admitted {
            let republish = sqlx::query(REPUBLISH).bind(part.low).bind(part.high);
            let republish = republish.bind(&round.behind).bind(floor_id(round.anyway));
            n_all += republish.execute(&mut *tx).await?.rows_affected();
        }
        is_whole &= !is_open;
        if is_whole && round.cause == Cause::Reconcile {
            sqlx::query(RAISE).bind(next.high).execute(&mut *tx).await?;
        }
        ledger.commit(tx).await?;
        from = next.high;
    }
    if is_whole && round.cause == Cause::Reconcile && from < sealed {
        let mut tx = ledger.begin().await?;
        sqlx::query(RAISE).bind(sealed).execute(&mut *tx).await?;
        ledger.commit(tx).await?;
    }
    messages::republished(round.cause, n_all);
    if 0 < n_all {
        let watermark = time_of_id(from);
        tracing::warn!(n_all, cause = ?round.cause, %watermark, "events are published again");
    }
    Ok(n_all)
}

/// The next slice that holds an event, and at most [`EVENTS_MAX`] of them.
async fn cut(
    ledger: &Ledger,
    from: Uuid,
    sealed: OffsetDateTime,
) -> Result<Option<Slice>, Failure> {
    let mut reader = ledger.reader().await?;
    let first = sqlx::query_scalar(FIRST).bind(from).bind(floor_id(sealed));
    let first: Option<Uuid> = first.fetch_optional(&mut *reader).await?;
    let Some(mut next) = first.and_then(|it| slice(it, sealed)) else {
        reader.finish();
        return Ok(None);
    };
    let cut = sqlx::query_scalar(CUT).bind(next.low).bind(next.high);
    let cut: Option<Uuid> = cut.bind(EVENTS_MAX).fetch_optional(&mut *reader).await?;
    reader.finish();
    next.high = cut.unwrap_or(next.high);
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slice_is_published_again_ever_more_rarely() {
        let mut repeats = Repeats::default();
        let at = time::macros::datetime!(2026-11-22 02:00 UTC);
        let sealed = at + Duration::from_mins(5);
        let it = slice(floor_id(at), sealed).unwrap();
        let pause = Duration::from_mins(1);
        let begin = Instant::now();
        assert_eq!(repeats.admit(it, pause, begin), Some(it));
        assert_eq!(repeats.admit(it, pause, begin + pause / 2), None);
        assert_eq!(repeats.admit(it, pause, begin + pause), Some(it));
        assert_eq!(repeats.admit(it, pause, begin + pause * 2), None);
        assert_eq!(repeats.admit(it, pause, begin + pause * 3), Some(it));
        repeats.forget(floor_id(sealed));
        assert_eq!(repeats.admit(it, pause, begin + pause * 3), Some(it));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sealed_since_is_published_again_at_once() {
        let mut repeats = Repeats::default();
        let at = time::macros::datetime!(2026-11-22 02:00 UTC);
        let up_to = |seconds| slice(floor_id(at), at + Duration::from_secs(seconds)).unwrap();
        let pause = Duration::from_mins(1);
        let now = Instant::now();
        let (first, more) = (up_to(20), up_to(30));
        assert_eq!(repeats.admit(first, pause, now), Some(first));
        let since = Slice {
            low: first.high,
            ..more
        };
        assert_eq!(repeats.admit(more, pause, now), Some(since));
        assert_eq!(repeats.admit(more, pause, now), None);
        assert_eq!(repeats.admit(more, pause, now + pause), Some(more));
    }
}
