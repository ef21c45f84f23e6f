//! Finds events that some consumer does not have, and makes them pending again.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::failure::{Failure, within};
use super::slice::{Slice, slice};
use crate::domain::{floor_id, time_of_id};
use crate::failpoint::FailPoints;
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

/// Only from where this round has come to: a redrive may have set it back meanwhile.
const RAISE: &str = "
UPDATE oncely.outbox_confirmed SET before = $1, changed_at = now() WHERE before = $2";

/// How long one slice may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// What earlier rounds have found out of slices above the watermark, each by its lowest id.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    open: HashMap<Uuid, Repeated>,
    /// Up to where a slice is confirmed: it is not looked at again.
    closed: HashMap<Uuid, Uuid>,
    watermark: Uuid,
}

#[derive(Debug)]
struct Repeated {
    times: u32,
    not_before: Instant,
    /// Up to here it was published again. What comes after it was sealed since, and waits for nothing.
    through: Uuid,
}

/// What a round of reconciling goes by.
#[derive(Debug)]
pub(super) struct Round<'a> {
    pub(super) cause: Cause,
    /// Older than this is looked at, by the database's clock.
    pub(super) sealed: OffsetDateTime,
    /// Topics whose consumers are far behind.
    pub(super) behind: Vec<String>,
    /// Older than this is published again though its consumers are far behind.
    pub(super) anyway: OffsetDateTime,
    /// The first wait before a slice is published once more.
    pub(super) pause: Duration,
    pub(super) points: &'a FailPoints,
}

impl Repeats {
    /// What of `slice` may be published again: all of it, what was sealed since the last time, or
    /// nothing.
    fn part(&self, slice: Slice, now: Instant) -> Option<Slice> {
        let low = match self.open.get(&slice.low) {
            Some(it) if now < it.not_before => slice.low.max(it.through),
            Some(_) | None => slice.low,
        };
        (low < slice.high).then_some(Slice { low, ..slice })
    }

    /// `part` of `slice` was published again: all of it not before another `pause`, doubled each time.
    fn published(&mut self, slice: Slice, part: Slice, pause: Duration, now: Instant) {
        let repeated = self.open.entry(slice.low).or_insert(Repeated {
            times: 0,
            not_before: now,
            through: slice.low,
        });
        if part.low == slice.low {
            let wait = pause.saturating_mul(1 << repeated.times.min(16));
            repeated.times += 1;
            repeated.not_before = now + wait.min(BACKOFF_MAX);
        }
        repeated.through = repeated.through.max(slice.high);
    }

    fn is_closed(&self, slice: Slice) -> bool {
        self.closed
            .get(&slice.low)
            .is_some_and(|it| slice.high <= *it)
    }

    /// Forgets what is below the watermark, and everything where it went back.
    fn begin(&mut self, watermark: Uuid) {
        if watermark < self.watermark {
            self.closed.clear();
        }
        self.watermark = watermark;
        self.open.retain(|low, _| watermark <= *low);
        self.closed.retain(|low, _| watermark <= *low);
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
    round: &Round<'_>,
    repeats: &mut Repeats,
) -> Result<u64, Failure> {
    let mut from = confirmed_before(ledger).await?;
    repeats.begin(from);
    let (sealed, mut watermark, mut n_all) = (floor_id(round.sealed), Some(from), 0);
    while let Some(next) = within(PATIENCE, "a slice", cut(ledger, from, round.sealed)).await? {
        if !repeats.is_closed(next) {
            let work = compare(ledger, round, repeats, next);
            let (is_open, n) = within(PATIENCE, "a slice", work).await?;
            n_all += n;
            if is_open {
                watermark = None;
            }
        }
        if let (Some(at), Cause::Reconcile) = (watermark, round.cause) {
            watermark = raise(ledger, at, next.high).await?;
        }
        from = next.high;
    }
    if let (Some(at), Cause::Reconcile) = (watermark, round.cause)
        && at < sealed
    {
        raise(ledger, at, sealed).await?;
    }
    messages::republished(round.cause, n_all);
    if 0 < n_all {
        let watermark = time_of_id(from);
        tracing::warn!(n_all, cause = ?round.cause, %watermark, "events are published again");
    }
    Ok(n_all)
}

/// Compares one slice with the inbox, and publishes again what is missing. Says whether anything of it
/// is still on its way, and how many events are pending again.
async fn compare(
    ledger: &Ledger,
    round: &Round<'_>,
    repeats: &mut Repeats,
    slice: Slice,
) -> Result<(bool, u64), Failure> {
    round.points.reach("outbox.reconcile.before_slice").await?;
    let mut tx = ledger.begin().await?;
    let is_open = sqlx::query_scalar(IS_OPEN).bind(slice.low).bind(slice.high);
    let is_open: bool = is_open.fetch_one(&mut *tx).await?;
    let now = Instant::now();
    let part = match round.cause {
        _ if !is_open => None,
        Cause::Broker => Some(slice),
        Cause::Reconcile | Cause::Gap => repeats.part(slice, now),
    };
    let mut n = 0;
    if let Some(part) = part {
        let republish = sqlx::query(REPUBLISH).bind(part.low).bind(part.high);
        let republish = republish.bind(&round.behind).bind(floor_id(round.anyway));
        n = republish.execute(&mut *tx).await?.rows_affected();
    }
    round.points.reach("outbox.reconcile.before_commit").await?;
    ledger.commit(tx).await?;
    round.points.reach("outbox.reconcile.after_commit").await?;
    if !is_open {
        repeats.closed.insert(slice.low, slice.high);
    }
    // What was left out because its consumers are behind has had no turn yet.
    if let Some(part) = part
        && round.behind.is_empty()
    {
        repeats.published(slice, part, round.pause, now);
    }
    Ok((is_open, n))
}

/// Raises the watermark from where it was; `None` where somebody has set it back meanwhile.
async fn raise(ledger: &Ledger, from: Uuid, to: Uuid) -> Result<Option<Uuid>, Failure> {
    let mut tx = ledger.begin().await?;
    let raised = sqlx::query(RAISE).bind(to).bind(from);
    let n = raised.execute(&mut *tx).await?.rows_affected();
    ledger.commit(tx).await?;
    Ok((n == 1).then_some(to))
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
    use time::macros::datetime;

    const PAUSE: Duration = Duration::from_mins(1);

    /// The slice of the first seconds of a minute.
    fn up_to(seconds: u64) -> Slice {
        let at = datetime!(2026-11-22 02:00 UTC);
        slice(floor_id(at), at + Duration::from_secs(seconds)).unwrap()
    }

    /// Asks for a part and publishes it.
    fn publish(repeats: &mut Repeats, slice: Slice, now: Instant) -> Option<Slice> {
        let part = repeats.part(slice, now);
        if let Some(part) = part {
            repeats.published(slice, part, PAUSE, now);
        }
        part
    }

    #[tokio::test(start_paused = true)]
    async fn a_slice_is_published_again_ever_more_rarely() {
        let (mut repeats, it, begin) = (Repeats::default(), up_to(60), Instant::now());
        assert_eq!(publish(&mut repeats, it, begin), Some(it));
        assert_eq!(publish(&mut repeats, it, begin + PAUSE / 2), None);
        assert_eq!(publish(&mut repeats, it, begin + PAUSE), Some(it));
        assert_eq!(publish(&mut repeats, it, begin + PAUSE * 2), None);
        assert_eq!(publish(&mut repeats, it, begin + PAUSE * 3), Some(it));
        repeats.begin(it.high);
        assert_eq!(publish(&mut repeats, it, begin + PAUSE * 3), Some(it));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sealed_since_is_published_again_at_once() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let (first, more) = (up_to(20), up_to(30));
        assert_eq!(publish(&mut repeats, first, now), Some(first));
        let since = Slice {
            low: first.high,
            ..more
        };
        assert_eq!(publish(&mut repeats, more, now), Some(since));
        assert_eq!(publish(&mut repeats, more, now), None);
        assert_eq!(publish(&mut repeats, more, now + PAUSE), Some(more));
    }

    #[tokio::test(start_paused = true)]
    async fn two_slices_of_one_minute_wait_for_themselves_alone() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let (one, minute) = (up_to(20), up_to(60));
        let other = Slice {
            low: one.high,
            ..minute
        };
        for slice in [one, other] {
            assert_eq!(publish(&mut repeats, slice, now), Some(slice));
            assert_eq!(publish(&mut repeats, slice, now), None);
        }
        for slice in [one, other] {
            assert_eq!(publish(&mut repeats, slice, now + PAUSE), Some(slice));
        }
    }

    #[test]
    fn what_is_closed_is_not_looked_at_again_until_the_watermark_goes_back() {
        let mut repeats = Repeats::default();
        let (some, more) = (up_to(20), up_to(30));
        repeats.begin(some.low);
        repeats.closed.insert(some.low, some.high);
        assert!(repeats.is_closed(some));
        assert!(!repeats.is_closed(more), "more was sealed since");
        repeats.begin(Uuid::nil());
        assert!(!repeats.is_closed(some));
    }
}
