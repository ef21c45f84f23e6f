//! The pump: claims, publishes and settles, one batch after the other, as fast as the pace allows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::{self, Look, Pending, Unreadable};
use super::failure::{Failure, within};
use super::gate::Gate;
use super::lanes::Lanes;
use super::lease::{Held, Leases};
use super::pace::{Pace, split};
use super::settle::{Outcome, settle};
use crate::backoff::{draw, up_to};
use crate::breaker::State;
use crate::config;
use crate::domain::{Message, Topic};
use crate::failpoint::FailPoints;
use crate::ledger::Ledger;
use crate::telemetry::messages;

/// How long Postgres may take for the reads of a batch, and how long for settling it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pump of one relay.
#[derive(Debug)]
pub(super) struct Pump<'a> {
    ledger: &'a Ledger,
    settings: &'a config::Outbox,
    gate: &'a Gate,
    breaker_pause: Duration,
    leases: &'a Leases,
    points: &'a FailPoints,
    wake: &'a Notify,
    enqueued: watch::Receiver<u64>,
    pace: Pace,
    lanes: Lanes,
    topics: BTreeSet<Topic>,
    /// Whether the last call found the broker away.
    was_away: bool,
    turn: usize,
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    /// Published as much as was allowed: there may be more.
    Full,
    /// Published, and that was all.
    Some,
    /// Nothing was there, or nothing may be done.
    Nothing,
    /// Not to be tried for so long.
    Wait(Duration),
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        (ledger, settings): (&'a Ledger, &'a config::Outbox),
        (gate, breaker_pause): (&'a Gate, Duration),
        leases: &'a Leases,
        points: &'a FailPoints,
        (wake, enqueued): (&'a Notify, watch::Receiver<u64>),
    ) -> Self {
        let now = Instant::now();
        Self {
            ledger,
            settings,
            gate,
            breaker_pause,
            leases,
            points,
            wake,
            enqueued,
            pace: Pace::new(now, settings.rate_max, settings.batch),
            lanes: Lanes::new(),
            topics: BTreeSet::new(),
            was_away: false,
            turn: 0,
        }
    }

    /// Runs until `stop`, and ends only between two batches.
    pub(super) async fn run(&mut self, stop: &CancellationToken) {
        let mut poll = self.settings.poll_min;
        while !stop.is_cancelled() {
            let did = self.round().await.unwrap_or_else(|failure| {
                failure.log("relaying");
                Did::Nothing
            });
            self.show();
            let pause = match did {
                Did::Full => continue,
                Did::Some => {
                    poll = self.settings.poll_min;
                    poll
                }
                Did::Nothing => {
                    poll = (poll * 2).min(self.settings.poll_max);
                    poll
                }
                Did::Wait(pause) => pause,
            };
            let woken = async {
                // A wake-up does not hasten what the pace or the breaker holds back.
                if matches!(did, Did::Wait(_)) {
                    std::future::pending::<()>().await;
                }
                tokio::select! {
                    () = self.wake.notified() => (),
                    _ = self.enqueued.changed() => (),
                }
            };
            tokio::select! {
                () = stop.cancelled() => (),
                () = woken => poll = self.settings.poll_min,
                () = tokio::time::sleep(pause) => (),
            }
        }
    }

    async fn round(&mut self) -> Result<Did, Failure> {
        within(PATIENCE, "giving up shards", self.leases.give_up_surplus()).await?;
        let shards = self.leases.usable(Instant::now());
        if shards.is_empty() {
            return Ok(Did::Nothing);
        }
        if self.gate.state() != State::Closed || self.was_away {
            return self.probe().await;
        }
        self.judge().await;
        self.scan(&shards).await?;
        let n = self.pace.available(Instant::now());
        if n == 0 {
            return Ok(Did::Wait(self.pace.wait()));
        }
        self.points.reach("outbox.relay.before_claim").await?;
        let rows = within(PATIENCE, "the claim", self.claim(&shards, n)).await?;
        self.points.reach("outbox.relay.after_claim").await?;
        if rows.is_empty() {
            return Ok(Did::Nothing);
        }
        let is_full = usize::try_from(n).is_ok_and(|n| n <= rows.len());
        let outcome = self.publish(rows).await?;
        self.points.reach("outbox.relay.before_settle").await?;
        self.settle(&shards, &outcome).await?;
        self.points.reach("outbox.relay.after_settle").await?;
        Ok(if is_full { Did::Full } else { Did::Some })
    }

    /// Asks an absent broker once for each pause, spread by chance. When it is back, what came in
    /// meanwhile is the backlog.
    async fn probe(&mut self) -> Result<Did, Failure> {
        self.was_away = true;
        let spread = up_to(self.breaker_pause, draw());
        match self.gate.state() {
            State::Open => return Ok(Did::Wait(self.breaker_pause / 2 + spread)),
            State::Closed | State::HalfOpen => (),
        }
        if let Err(failure) = self.gate.probe().await {
            failure.log("asking whether the broker is back");
            return Ok(Did::Wait(self.breaker_pause / 2 + spread));
        }
        self.was_away = false;
        let last = within(PATIENCE, "the position", self.last_position()).await?;
        self.lanes.recover(last);
        self.pace
            .restart(Instant::now(), self.lanes.produced(self.leases.n_live()));
        tracing::info!(rate = self.pace.rate(), "the broker is back");
        Ok(Did::Full)
    }

    /// Once a second the rate is set anew.
    async fn judge(&mut self) {
        if !self.pace.is_to_judge(Instant::now()) {
            return;
        }
        // Where it can't be asked, the breaker or the batch says so; the rate need not.
        let lag = self.gate.lag(&self.topics).await.unwrap_or(0);
        self.pace.judge(Instant::now(), lag, self.leases.n_live());
    }

    /// Reads the shards from their beginnings when it is time.
    async fn scan(&mut self, shards: &[Held]) -> Result<(), Failure> {
        let now = Instant::now();
        if !self.lanes.is_to_scan(now, self.settings.full_scan_interval) {
            return Ok(());
        }
        let read = async {
            let mut reader = self.ledger.reader().await?;
            let last = claim::last_position(&mut reader).await?;
            let firsts = claim::scan(&mut reader, shards).await?;
            reader.finish();
            Ok::<_, Failure>((last, firsts))
        };
        let (last, firsts) = within(PATIENCE, "a full scan", read).await?;
        if self.lanes.scanned(now, last, &firsts) {
            // A backlog is there from the start: whoever was here before could not publish it.
            self.pace
                .restart(now, self.lanes.produced(self.leases.n_live()));
        }
        Ok(())
    }

    async fn last_position(&self) -> Result<i64, Failure> {
        let mut reader = self.ledger.reader().await?;
        let last = claim::last_position(&mut reader).await?;
        reader.finish();
        Ok(last)
    }

    /// Claims up to `n`, from both lanes where there is a backlog.
    async fn claim(
        &mut self,
        shards: &[Held],
        n: u32,
    ) -> Result<Vec<(Pending, Result<Message, Unreadable>)>, Failure> {
        // Another shard is the first one each time.
        self.turn = self.turn.wrapping_add(1);
        let mut shards = shards.to_vec();
        let by = self.turn % shards.len().max(1);
        shards.rotate_left(by);
        let mut reader = self.ledger.reader().await?;
        let look = |lows, through| Look {
            shards: &shards,
            lows,
            through,
            n_max: n,
        };
        let rows = match self.lanes.fence() {
            None => claim::claim(&mut reader, look(self.lanes.lows(&shards), i64::MAX)).await?,
            Some(fence) => {
                let lows = self.lanes.fresh_lows(&shards, fence);
                let fresh = claim::claim(&mut reader, look(lows, i64::MAX)).await?;
                let seen = (fresh.len(), fresh.iter().map(highest).collect::<Vec<_>>());
                let mut fresh = claim::without_older(&mut reader, fence, fresh).await?;
                if fresh.is_empty() && 0 < seen.0 {
                    self.lanes.skip_waiting(&seen.1);
                }
                let look = look(self.lanes.lows(&shards), fence);
                let mut backlog = claim::claim(&mut reader, look).await?;
                let (n_fresh, n_backlog) = split(n, count(&fresh), count(&backlog));
                fresh.truncate(usize::try_from(n_fresh).unwrap_or(0));
                backlog.truncate(usize::try_from(n_backlog).unwrap_or(0));
                backlog.extend(fresh);
                backlog
            }
        };
        let rows = claim::read(&mut reader, rows).await?;
        reader.finish();
        Ok(rows)
    }

    /// Publishes what can be read. An error is the broker's, and no row's.
    async fn publish(
        &mut self,
        rows: Vec<(Pending, Result<Message, Unreadable>)>,
    ) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        let (mut sent, mut batch) = (Vec::new(), Vec::new());
        for (pending, message) in rows {
            match message {
                Ok(message) => {
                    sent.push(pending);
                    batch.push(message);
                }
                Err(Unreadable::Missing) => {
                    tracing::error!(id = %pending.id, "a pending event is not in the log");
                    outcome.orphans.push(pending);
                }
                Err(unreadable) => outcome.refused.push((pending, unreadable.to_string())),
            }
        }
        if batch.is_empty() {
            return Ok(outcome);
        }
        self.points.reach("outbox.relay.before_publish").await?;
        let began = Instant::now();
        self.pace.spend(began, count(&batch));
        let answers = match self.gate.publish(&batch).await {
            Ok(answers) if answers.len() == batch.len() => answers,
            Ok(_) => {
                self.pace.failed(Instant::now());
                return Err(Failure::TooLong("an answer for each message"));
            }
            Err(failure) => {
                self.pace.failed(Instant::now());
                self.was_away = self.gate.state() != State::Closed;
                return Err(failure);
            }
        };
        self.pace.published(Instant::now(), began.elapsed());
        self.points.reach("outbox.relay.after_publish").await?;
        let mut n_by_topic: BTreeMap<Topic, u64> = BTreeMap::new();
        for ((pending, message), answer) in sent.into_iter().zip(batch).zip(answers) {
            match answer {
                Ok(()) => {
                    *n_by_topic.entry(message.topic).or_default() += 1;
                    outcome.published.push(pending);
                }
                Err(refused) => {
                    messages::publish_refused(message.topic.as_str());
                    outcome.refused.push((pending, refused.to_string()));
                }
            }
        }
        for (topic, n) in n_by_topic {
            messages::published(topic.as_str(), n);
            self.topics.insert(topic);
        }
        Ok(outcome)
    }

    async fn settle(&self, shards: &[Held], outcome: &Outcome) -> Result<(), Failure> {
        let owned = (self.leases.owner, shards);
        let work = settle(self.ledger, owned, outcome, self.settings.attempts_max);
        let settled = within(PATIENCE, "settling", work).await?;
        let n_gone = outcome.published.len() + outcome.orphans.len();
        if usize::try_from(settled.n_published) != Ok(n_gone) {
            tracing::warn!(
                n_gone,
                n_settled = settled.n_published,
                "some shards are another relay's by now; it publishes those again"
            );
        }
        if 0 < settled.n_dead {
            tracing::error!(
                n_dead = settled.n_dead,
                "the broker refuses events for good"
            );
        }
        Ok(())
    }

    /// Sets the gauges of this relay.
    fn show(&self) {
        let n_shards = self.leases.usable(Instant::now()).len();
        let n_shards = u64::try_from(n_shards).unwrap_or(u64::MAX);
        messages::set_relay(n_shards, f64::from(self.pace.rate()));
    }
}

fn count<T>(of: &[T]) -> u32 {
    u32::try_from(of.len()).unwrap_or(u32::MAX)
}

fn highest(pending: &Pending) -> (i16, i64) {
    (pending.shard, pending.position)
}
