//! How fast the relay publishes: a token bucket below a cap, more while all is well, half when not.
//! Pure: the time comes from the caller.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The window in which the cap is never passed, and the rhythm of the rate.
const SECOND: Duration = Duration::from_secs(1);

/// A batch slower than this says that the broker has enough to do.
const SLOW: Duration = Duration::from_millis(50);

/// A token, in the bucket's unit.
const TOKEN: u64 = 1_000_000;

/// What a second was like.
#[derive(Debug, Default)]
struct Second {
    latencies: Vec<Duration>,
    n_failed: u32,
}

/// The pace of one relay.
#[derive(Debug)]
pub(super) struct Pace {
    rate_max: u32,
    batch: u32,
    n_relays: u32,
    rate: u32,
    bucket: u64,
    filled_at: Instant,
    /// What went out in the last second: when it was done, and how much.
    window: VecDeque<(Instant, u32)>,
    second: Second,
    judged_at: Instant,
}

impl Pace {
    /// A pace that begins at its cap: nothing is known to be wrong.
    pub(super) fn new(now: Instant, rate_max: u32, batch: u32) -> Self {
        let mut pace = Self {
            rate_max,
            batch,
            n_relays: 1,
            rate: rate_max.max(1),
            bucket: 0,
            filled_at: now,
            window: VecDeque::new(),
            second: Second::default(),
            judged_at: now,
        };
        pace.bucket = pace.bucket_max();
        pace
    }

    /// Events a second.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// The most in any second: this relay's part of what all may publish together.
    pub(super) fn cap(&self) -> u32 {
        (self.rate_max / self.n_relays).max(1)
    }

    /// How many may be published now; 0 until there are enough to be worth a batch.
    pub(super) fn available(&mut self, now: Instant) -> u32 {
        self.fill(now);
        while self.window.front().is_some_and(|it| it.0 + SECOND <= now) {
            self.window.pop_front();
        }
        let gone: u32 = self.window.iter().map(|it| it.1).sum();
        let tokens = u32::try_from(self.bucket / TOKEN).unwrap_or(u32::MAX);
        let n = tokens.min(self.cap().saturating_sub(gone)).min(self.batch);
        if n < self.quantum() { 0 } else { n }
    }

    /// How long until something may be published, roughly.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_micros(TOKEN * u64::from(self.quantum()) / u64::from(self.rate.max(1)))
            .clamp(Duration::from_millis(1), SECOND)
    }

    /// Takes `n` of what is available, for a batch that is sent now.
    pub(super) fn spend(&mut self, now: Instant, n: u32) {
        self.bucket = self.bucket.saturating_sub(u64::from(n) * TOKEN);
        self.window.push_back((now, n));
    }

    /// The batch that was paid for last is with the broker. It counts from now on: it may have got
    /// there at any moment until now, and the cap is the broker's.
    pub(super) fn published(&mut self, now: Instant, took: Duration) {
        self.restamp(now);
        self.second.latencies.push(took);
    }

    /// The batch that was paid for last failed as a whole.
    pub(super) fn failed(&mut self, now: Instant) {
        self.restamp(now);
        self.second.n_failed += 1;
    }

    /// Whether a second is over and can be judged.
    pub(super) fn is_to_judge(&self, now: Instant) -> bool {
        self.judged_at + SECOND <= now
    }

    /// Judges the last second: a tenth of the cap more where it was well and something was published,
    /// half where it was not. `lag` is how many messages the consumers have before them.
    pub(super) fn judge(&mut self, now: Instant, lag: u64, n_relays: u16) {
        self.fill(now);
        self.n_relays = u32::from(n_relays.max(1));
        let mut second = std::mem::take(&mut self.second);
        second.latencies.sort_unstable();
        let p99 = (second.latencies.len() * 99)
            .div_ceil(100)
            .saturating_sub(1);
        let is_slow = second.latencies.get(p99).is_some_and(|it| SLOW <= *it);
        // A second's worth of messages before the consumers is enough.
        let is_behind = u64::from(self.rate_max) < lag;
        if is_slow || 0 < second.n_failed || is_behind {
            self.rate /= 2;
        } else if !second.latencies.is_empty() {
            self.rate = self.rate.saturating_add(self.cap().div_ceil(10));
        }
        self.judged_at = now;
        self.bound();
    }

    /// Begins anew after an outage: as fast as events come in, at least a tenth of the cap.
    pub(super) fn restart(&mut self, now: Instant, produced: u32) {
        self.rate = produced.max(self.cap() / 10);
        self.bucket = 0;
        self.filled_at = now;
        self.second = Second::default();
        self.judged_at = now;
        self.bound();
    }

    fn bound(&mut self) {
        let cap = self.cap();
        self.rate = self.rate.clamp(self.batch.min(cap).max(1), cap);
        self.bucket = self.bucket.min(self.bucket_max());
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_micros();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let filled = passed.saturating_mul(u64::from(self.rate));
        self.bucket = self.bucket.saturating_add(filled).min(self.bucket_max());
        self.filled_at = now;
    }

    fn restamp(&mut self, now: Instant) {
        if let Some(last) = self.window.back_mut() {
            last.0 = now;
        }
    }

    /// Two batches, and no more than the cap.
    fn bucket_max(&self) -> u64 {
        u64::from(self.batch.saturating_mul(2).min(self.cap()).max(1)) * TOKEN
    }

    /// What a fiftieth of a second yields: less is not worth a round trip.
    fn quantum(&self) -> u32 {
        (self.rate / 50).clamp(1, self.batch.max(1))
    }
}

/// How many of `n` tokens go to the fresh lane and how many to the backlog, where that many are
/// there. Fresh has a claim on half, rounded up; what one lane leaves, the other takes.
pub(super) fn split(n: u32, n_fresh: u32, n_backlog: u32) -> (u32, u32) {
    let half = n - n / 2;
    let fresh = n_fresh.min(half.max(n.saturating_sub(n_backlog)));
    (fresh, n_backlog.min(n - fresh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(begin: Instant, millis: u64) -> Instant {
        begin + Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_that_is_well_adds_a_tenth_and_a_bad_one_halves() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 1_000, 10);
        pace.restart(begin, 300);
        assert_eq!(pace.rate(), 300);
        pace.judge(at(begin, 1_000), 0, 1);
        assert_eq!(
            pace.rate(),
            300,
            "nothing was published, so nothing is known"
        );
        pace.spend(at(begin, 1_500), 1);
        pace.published(at(begin, 1_500), SLOW / 2);
        pace.judge(at(begin, 2_000), 0, 1);
        assert_eq!(pace.rate(), 400);
        pace.published(at(begin, 2_500), SLOW);
        pace.judge(at(begin, 3_000), 0, 1);
        assert_eq!(pace.rate(), 200, "slow");
        pace.failed(at(begin, 3_500));
        pace.judge(at(begin, 4_000), 0, 1);
        assert_eq!(pace.rate(), 100, "failed");
        pace.judge(at(begin, 5_000), 1_001, 1);
        assert_eq!(pace.rate(), 50, "the consumers are behind");
        for second in 6..20 {
            pace.failed(at(begin, second * 1_000));
            pace.judge(at(begin, second * 1_000), 0, 1);
        }
        assert_eq!(pace.rate(), 10, "never less than a batch");
    }

    #[tokio::test(start_paused = true)]
    async fn relays_divide_the_cap() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 1_000, 10);
        pace.judge(at(begin, 1_000), 0, 4);
        assert_eq!((pace.cap(), pace.rate()), (250, 250));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_ends_slowly() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 1_000, 10);
        pace.restart(begin, 0);
        assert_eq!((pace.rate(), pace.available(begin)), (100, 0));
        pace.restart(begin, 9_000);
        assert_eq!(pace.rate(), 1_000);
    }

    #[test]
    fn fresh_has_a_claim_on_half_and_nothing_is_left_over() {
        assert_eq!(split(10, 100, 100), (5, 5));
        assert_eq!(split(11, 100, 100), (6, 5));
        assert_eq!(split(10, 2, 100), (2, 8));
        assert_eq!(split(10, 100, 3), (7, 3));
        assert_eq!(split(0, 1, 1), (0, 0));
    }

    proptest! {
        #[test]
        fn fresh_gets_its_half_whatever_is_there(n in 0u32..500, fresh in 0u32..500, backlog in 0u32..500) {
            let (a, b) = split(n, fresh, backlog);
            prop_assert!(a <= fresh && b <= backlog && a + b <= n);
            prop_assert!(fresh.min(n - n / 2) <= a, "fresh has at least its half");
            prop_assert_eq!(a + b, n.min(fresh + backlog), "no token is wasted");
        }

        /// However the calls fall, no second of the broker's sees more than the cap: a batch may get
        /// there at any moment between its sending and its reply.
        #[test]
        fn no_second_passes_the_cap(
            rate_max in 1u32..3_000,
            batch in 1u32..300,
            steps in prop::collection::vec((0u64..120, 0u64..300, 0u64..=100), 1..300),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _inside = runtime.enter();
            let begin = Instant::now();
            let mut pace = Pace::new(begin, rate_max, batch);
            let (mut millis, mut arrived) = (0, Vec::new());
            for (idle, took, part) in steps {
                millis += idle;
                if pace.is_to_judge(at(begin, millis)) {
                    pace.judge(at(begin, millis), 0, 1);
                }
                let n = pace.available(at(begin, millis));
                if n == 0 {
                    continue;
                }
                pace.spend(at(begin, millis), n);
                arrived.push((millis + took * part / 100, n));
                millis += took;
                pace.published(at(begin, millis), Duration::from_millis(took));
            }
            for &(from, _) in &arrived {
                let in_window = arrived.iter().filter(|it| (from..from + 1_000).contains(&it.0));
                let sum: u32 = in_window.map(|it| it.1).sum();
                prop_assert!(sum <= rate_max, "{sum} in the second from {from}");
            }
        }
    }
}
