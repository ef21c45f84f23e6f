//! The retry budget of one call site: what keeps retries from turning a blip into an outage.
//!
//! A retry costs a token, and only a success earns a part of one. A dead server earns its callers
//! nothing, so its retries end with what was saved and a trickle, however many calls there are.
//!
//! Amounts are thousandths of a token, whole numbers: a ratio of 0.07 is 70, and stays 70 after ten
//! thousand deposits. Level and time share one atomic word, so that no interleaving of threads can
//! see or write one without the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// One token, in thousandths.
pub const TOKEN_MILLI: u32 = 1000;

/// Below the level there are 40 bits of time: 348 years in the usual ticks of 10 ms.
const TIME_BITS: u32 = 40;
const TIME_MAX: u64 = (1 << TIME_BITS) - 1;
const LEVEL_MAX: u32 = (1 << (64 - TIME_BITS)) - 1;

/// How a budget fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The most that it holds, and what it begins with, in thousandths of a token; at most 16,777
    /// tokens.
    pub capacity_milli: u32,
    /// What a success earns, in thousandths of a token. 100 allows one retry for ten successes.
    pub success_milli: u32,
    /// How long the trickle takes to a whole token, which lets a site without any success find out
    /// that its server is back; at least 100 ms. Zero: there is no trickle.
    pub trickle: Duration,
}

impl Default for Policy {
    /// Ten tokens, a tenth for each success, and one each ten seconds.
    fn default() -> Self {
        Self {
            capacity_milli: 10 * TOKEN_MILLI,
            success_milli: 100,
            trickle: Duration::from_secs(10),
        }
    }
}

/// The tokens of one call site. Any number of threads may use it.
#[derive(Debug)]
pub struct Budget {
    capacity: u32,
    success: u32,
    /// A thousandth of the trickle; `None` where there is none.
    tick: Option<Duration>,
    began_at: Instant,
    /// The level, and the tick up to which the trickle is in it.
    state: AtomicU64,
}

/// Tokens that are taken for a request which is not sent yet. Dropping it puts them back.
#[derive(Debug)]
#[must_use = "a withdrawal that is dropped is put back"]
pub struct Withdrawal<'a> {
    budget: &'a Budget,
    cost: u32,
}

impl Budget {
    /// A full budget.
    pub fn new(policy: Policy) -> Self {
        let capacity = policy.capacity_milli.min(LEVEL_MAX);
        let tick = policy.trickle / TOKEN_MILLI;
        Self {
            capacity,
            success: policy.success_milli,
            tick: (!policy.trickle.is_zero()).then_some(tick.max(Duration::from_micros(100))),
            began_at: Instant::now(),
            state: AtomicU64::new(pack(capacity, 0)),
        }
    }

    /// Takes `cost_milli` thousandths, or nothing where there are fewer.
    pub fn withdraw(&self, cost_milli: u32) -> Option<Withdrawal<'_>> {
        self.change(|level| level.checked_sub(cost_milli))?;
        Some(Withdrawal {
            budget: self,
            cost: cost_milli,
        })
    }

    /// Adds what a success earns.
    pub fn deposit(&self) {
        self.put(self.success);
    }

    /// Puts back what was spent.
    pub fn give_back(&self, cost_milli: u32) {
        self.put(cost_milli);
    }

    /// What there is, in thousandths of a token.
    pub fn level_milli(&self) -> u32 {
        let (level, then) = unpack(self.state.load(Ordering::Acquire));
        self.trickled(level, self.ticks().saturating_sub(then))
    }

    /// How long the trickle takes until `cost_milli` can be taken; `None` where it never does.
    pub fn refilled_in(&self, cost_milli: u32) -> Option<Duration> {
        if self.capacity < cost_milli {
            return None;
        }
        let missing = cost_milli.saturating_sub(self.level_milli());
        self.tick.map(|it| it.saturating_mul(missing))
    }

    fn put(&self, milli: u32) {
        self.change(|level| Some(level.saturating_add(milli).min(self.capacity)));
    }

    /// Sets the level to what `next` makes of it; changes nothing where that is `None`.
    fn change(&self, next: impl Fn(u32) -> Option<u32>) -> Option<()> {
        let now = self.ticks();
        let mut seen = self.state.load(Ordering::Acquire);
        loop {
            let (level, then) = unpack(seen);
            let level = next(self.trickled(level, now.saturating_sub(then)))?;
            // Another thread may have read a later time: the clock is never turned back, or the
            // same trickle would be counted again.
            let new = pack(level, now.max(then));
            match self
                .state
                .compare_exchange_weak(seen, new, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some(()),
                Err(other) => seen = other,
            }
        }
    }

    fn trickled(&self, level: u32, ticks: u64) -> u32 {
        let gained = u32::try_from(ticks).unwrap_or(u32::MAX);
        level.saturating_add(gained).min(self.capacity)
    }

    /// Ticks since the beginning; none where there is no trickle.
    fn ticks(&self) -> u64 {
        let Some(tick) = self.tick else { return 0 };
        let ticks = self.began_at.elapsed().as_nanos() / tick.as_nanos();
        u64::try_from(ticks).map_or(TIME_MAX, |it| it.min(TIME_MAX))
    }
}

impl Withdrawal<'_> {
    /// The request goes out: the tokens are gone.
    pub fn spend(mut self) {
        self.cost = 0;
    }
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if 0 < self.cost {
            self.budget.put(self.cost);
        }
    }
}

const fn pack(level: u32, ticks: u64) -> u64 {
    (level as u64) << TIME_BITS | ticks
}

fn unpack(state: u64) -> (u32, u64) {
    let level = u32::try_from(state >> TIME_BITS).expect("invariant: 24 bits are left");
    (level, state & TIME_MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicU32;

    use proptest::prelude::*;

    use super::*;

    fn still(capacity_milli: u32, success_milli: u32) -> Budget {
        Budget::new(Policy {
            capacity_milli,
            success_milli,
            trickle: Duration::ZERO,
        })
    }

    fn spend_all(budget: &Budget, cost: u32) -> u32 {
        let mut n = 0;
        while let Some(taken) = budget.withdraw(cost) {
            taken.spend();
            n += 1;
        }
        n
    }

    #[test]
    fn of_sixty_four_threads_on_one_token_one_wins() {
        const N_ROUNDS: usize = 2000;
        let budgets: Vec<_> = (0..N_ROUNDS).map(|_| still(TOKEN_MILLI, 0)).collect();
        let wins: Vec<_> = (0..N_ROUNDS).map(|_| AtomicU32::new(0)).collect();
        let barrier = Barrier::new(64);
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    barrier.wait();
                    for (budget, wins) in budgets.iter().zip(&wins) {
                        if let Some(taken) = budget.withdraw(TOKEN_MILLI) {
                            taken.spend();
                            wins.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let wins: Vec<_> = wins.into_iter().map(AtomicU32::into_inner).collect();
        assert!(wins.iter().all(|it| *it == 1), "{wins:?}");
    }

    #[test]
    fn threads_that_pay_in_and_draw_lose_nothing() {
        let budget = still(16_000 * TOKEN_MILLI, 70);
        spend_all(&budget, TOKEN_MILLI);
        let spent = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        budget.deposit();
                        if let Some(taken) = budget.withdraw(400) {
                            taken.spend();
                            spent.fetch_add(400, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(spent.into_inner() + budget.level_milli(), 8 * 2000 * 70);
    }

    #[test]
    fn ratios_are_exact_over_ten_thousand_successes() {
        for (success_milli, n_retries) in [(600, 6000), (300, 3000), (70, 700), (100, 1000)] {
            let budget = still(16_000 * TOKEN_MILLI, success_milli);
            spend_all(&budget, TOKEN_MILLI);
            assert_eq!(budget.level_milli(), 0);
            for _ in 0..10_000 {
                budget.deposit();
            }
            assert_eq!(spend_all(&budget, TOKEN_MILLI), n_retries);
            assert_eq!(budget.level_milli(), 0, "{success_milli}");
        }
    }

    #[test]
    fn a_withdrawal_that_was_not_spent_is_put_back() {
        let budget = still(TOKEN_MILLI, 0);
        let taken = budget.withdraw(400).unwrap();
        assert_eq!(budget.level_milli(), 600);
        drop(taken);
        assert_eq!(budget.level_milli(), 1000);
        assert!(budget.withdraw(1001).is_none());
        assert_eq!(budget.level_milli(), 1000, "a refusal takes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn the_trickle_is_one_token_in_ten_seconds_and_stops_at_the_capacity() {
        let budget = Budget::new(Policy::default());
        assert_eq!(spend_all(&budget, TOKEN_MILLI), 10);
        assert_eq!(
            budget.refilled_in(TOKEN_MILLI),
            Some(Duration::from_secs(10))
        );
        for _ in 0..1000 {
            tokio::time::advance(Duration::from_micros(9_999)).await;
            assert!(budget.withdraw(TOKEN_MILLI).is_none());
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(spend_all(&budget, TOKEN_MILLI), 1, "looking costs nothing");
        tokio::time::advance(Duration::from_hours(24 * 365)).await;
        assert_eq!(budget.level_milli(), 10_000);
        assert_eq!(spend_all(&budget, TOKEN_MILLI), 10);
    }

    #[test]
    fn a_cost_over_the_capacity_is_never_refilled() {
        assert_eq!(Budget::new(Policy::default()).refilled_in(10_001), None);
        assert_eq!(
            still(1000, 100).refilled_in(1000),
            None,
            "without a trickle"
        );
    }

    proptest! {
        #[test]
        fn no_settings_overflow(capacity: u32, success: u32, trickle: u64, cost: u32) {
            let budget = Budget::new(Policy {
                capacity_milli: capacity,
                success_milli: success,
                trickle: Duration::from_nanos(trickle),
            });
            budget.deposit();
            if let Some(taken) = budget.withdraw(cost) {
                taken.spend();
            }
            prop_assert!(budget.level_milli() <= capacity.min(LEVEL_MAX));
            prop_assert!(budget.refilled_in(cost).is_none_or(|it| it >= Duration::ZERO));
        }
    }
}
