//! Where the relay looks: how far down in each shard, and what is backlog and what is fresh. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::lease::Held;

/// What the relay remembers between rounds. All of it only saves work: a full scan finds what it
/// leaves out.
#[derive(Debug)]
pub(super) struct Lanes {
    /// From where on each shard is read: nothing below was pending at the last full scan.
    lows: BTreeMap<i16, i64>,
    /// From where on the fresh lane is read, past those that have to wait.
    skips: BTreeMap<i16, i64>,
    /// What is not above this is backlog; `None` where there is none.
    fence: Option<i64>,
    /// The last full scan: when it was, and the highest position then.
    scan: Option<(Instant, i64)>,
    /// Events a second, smoothed.
    produced: f64,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self {
            lows: BTreeMap::new(),
            skips: BTreeMap::new(),
            fence: None,
            scan: None,
            produced: 0.0,
        }
    }

    pub(super) fn is_to_scan(&self, now: Instant, every: Duration) -> bool {
        self.scan.is_none_or(|(at, _)| at + every <= now)
    }

    /// Takes what a full scan found: the highest position that was ever taken, read before it, and
    /// the first pending position of each shard. True where this is the first scan and it found
    /// a backlog.
    pub(super) fn scanned(&mut self, now: Instant, last: i64, firsts: &BTreeMap<i16, i64>) -> bool {
        let is_first = self.scan.is_none();
        let is_backlog = firsts.values().any(|it| *it <= last);
        // Whoever took a position before the last scan but one has had a whole interval to commit.
        let settled = self.scan.map_or(0, |(_, last)| last);
        if let Some((at, earlier)) = self.scan {
            self.produce(now.saturating_duration_since(at), last - earlier);
        }
        self.scan = Some((now, last));
        self.lows = (0..16)
            .map(|shard| {
                let first = firsts.get(&shard).copied().unwrap_or(i64::MAX);
                (shard, first.min(settled))
            })
            .collect();
        self.skips.clear();
        if self
            .fence
            .is_some_and(|it| firsts.values().all(|first| it < *first))
        {
            self.fence = None;
        }
        if is_first && is_backlog {
            self.fence = Some(last);
        }
        is_first && is_backlog
    }

    /// After an outage: all that is there is backlog, and what comes now is fresh.
    pub(super) fn recover(&mut self, last: i64) {
        self.fence = Some(last);
        self.skips.clear();
    }

    pub(super) fn fence(&self) -> Option<i64> {
        self.fence
    }

    /// From where on each of `shards` is read. One that is new to us is read from its beginning.
    pub(super) fn lows(&self, shards: &[Held]) -> Vec<i64> {
        let low = |it: &Held| self.lows.get(&it.shard).copied().unwrap_or(0);
        shards.iter().map(low).collect()
    }

    /// From where on the fresh lane of each of `shards` is read.
    pub(super) fn fresh_lows(&self, shards: &[Held], fence: i64) -> Vec<i64> {
        let low = |it: &Held| self.skips.get(&it.shard).copied().unwrap_or(0);
        let low = |it: &Held| low(it).max(fence.saturating_add(1));
        shards.iter().map(low).collect()
    }

    /// These were looked at, and all of them have to wait: the lane goes on after them.
    pub(super) fn skip_waiting(&mut self, seen: &[(i16, i64)]) {
        for &(shard, position) in seen {
            let next = position.saturating_add(1);
            let skip = self.skips.entry(shard).or_insert(next);
            *skip = next.max(*skip);
        }
    }

    /// This relay's part of what is produced, in events a second.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive, and a float that is too large becomes the largest integer"
    )]
    pub(super) fn produced(&self, n_relays: u16) -> u32 {
        (self.produced / f64::from(n_relays.max(1))) as u32
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a difference of positions over seconds stays far below 2^53"
    )]
    fn produce(&mut self, passed: Duration, n: i64) {
        let rate = n.max(0) as f64 / passed.as_secs_f64().max(0.001);
        self.produced = if self.produced == 0.0 {
            rate
        } else {
            self.produced.mul_add(0.7, rate * 0.3)
        };
    }
}
