//! A call site: method, host and route. What one call learns there, the others heed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Breaker;
use super::budget::Budget;
use super::policy::Policy;
use crate::backoff;
use crate::telemetry::client as metrics;

/// More sites than this are a route without a template: they share one per method, so that
/// neither memory nor metrics grow without bound.
const SITES_MAX: usize = 1000;

/// How many answers the usual time of a site is taken from: enough to ignore two slow ones.
const N_TIMES: usize = 15;

/// The fewest answers from which a usual time is taken.
const N_TIMES_MIN: usize = 5;

/// The longest spread on top of a server's wait.
const SPREAD_MAX: Duration = Duration::from_secs(1);

/// One call site.
#[derive(Debug)]
pub(super) struct Site {
    /// Method, host and route.
    pub(super) label: String,
    pub(super) budget: Budget,
    pub(super) breaker: Breaker,
    /// Held for a few instructions and never across an await.
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Until when the server asked to be left alone, and how far apart to come back.
    not_before: Option<(Instant, Duration)>,
    /// How long the last answers took, in a ring.
    times: [Duration; N_TIMES],
    n_times: usize,
}

/// All call sites of a client.
#[derive(Debug, Default)]
pub(super) struct Sites(Mutex<HashMap<String, Arc<Site>>>);

impl Sites {
    /// The site with this label, which begins with a method and a space.
    pub(super) fn of(&self, label: String, policy: &Policy) -> Arc<Site> {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = sites.contains_key(&label);
        let label = if is_known || sites.len() < SITES_MAX {
            label
        } else {
            let method = label.split(' ').next().unwrap_or_default();
            format!("{method} *")
        };
        let site = sites
            .entry(label)
            .or_insert_with_key(|label| Arc::new(Site::new(label.clone(), policy)));
        Arc::clone(site)
    }
}

impl Site {
    pub(super) fn new(label: String, policy: &Policy) -> Self {
        metrics::register_site(&label);
        Self {
            label,
            budget: Budget::new(policy.budget),
            breaker: Breaker::new(policy.breaker),
            memory: Mutex::default(),
        }
    }

    /// Remembers that the server asked to be left alone for `hint`.
    pub(super) fn remember(&self, hint: Duration) {
        let until = Instant::now() + hint;
        let mut memory = self.lock();
        if memory.not_before.is_none_or(|(then, _)| then < until) {
            memory.not_before = Some((until, spread(hint)));
        }
    }

    /// How much longer the server wants to be left alone, and how far apart to come back.
    pub(super) fn held_back(&self) -> Option<(Duration, Duration)> {
        let mut memory = self.lock();
        let (until, spread) = memory.not_before?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            memory.not_before = None;
            return None;
        }
        Some((left, spread))
    }

    /// Learns how long an answer took.
    pub(super) fn learn(&self, took: Duration) {
        let mut memory = self.lock();
        let idx = memory.n_times % N_TIMES;
        if let Some(slot) = memory.times.get_mut(idx) {
            *slot = took;
        }
        // Beyond twice the ring only the remainder counts.
        memory.n_times = if memory.n_times + 1 < 2 * N_TIMES {
            memory.n_times + 1
        } else {
            N_TIMES
        };
    }

    /// How long half of the answers take, or nothing where too few are known.
    pub(super) fn usual_time(&self) -> Duration {
        let (mut times, n) = {
            let memory = self.lock();
            (memory.times, memory.n_times.min(N_TIMES))
        };
        let Some(known) = times.get_mut(..n).filter(|_| N_TIMES_MIN <= n) else {
            return Duration::ZERO;
        };
        known.sort_unstable();
        known.get(n / 2).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far apart to come back after a wait of `hint`: a fifth of it, at most a second.
pub(super) fn spread(hint: Duration) -> Duration {
    (hint / 5).min(SPREAD_MAX)
}

/// A wait of `hint` at the least, and up to its spread longer.
pub(super) fn spread_out(hint: Duration, spread: Duration) -> Duration {
    hint.saturating_add(backoff::up_to(spread, backoff::draw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn site() -> Site {
        Site::new("POST x/".to_owned(), &Policy::default())
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_is_remembered_until_it_is_over() {
        let site = site();
        assert_eq!(site.held_back(), None);
        site.remember(5 * SECOND);
        site.remember(SECOND);
        assert_eq!(site.held_back(), Some((5 * SECOND, SECOND)));
        tokio::time::advance(4 * SECOND).await;
        assert_eq!(site.held_back(), Some((SECOND, SECOND)));
        tokio::time::advance(SECOND).await;
        assert_eq!(site.held_back(), None);
    }

    #[test]
    fn a_spread_never_comes_early() {
        assert_eq!(spread(2 * SECOND), Duration::from_millis(400));
        assert_eq!(spread(3600 * SECOND), SECOND);
        for _ in 0..1000 {
            let wait = spread_out(2 * SECOND, spread(2 * SECOND));
            assert!((2 * SECOND..=2 * SECOND + spread(2 * SECOND)).contains(&wait));
        }
    }

    #[test]
    fn the_usual_time_is_the_median_of_the_last_answers() {
        let site = site();
        for millis in [10, 10, 900, 10] {
            site.learn(Duration::from_millis(millis));
            assert_eq!(site.usual_time(), Duration::ZERO, "too few to tell");
        }
        site.learn(Duration::from_millis(900));
        assert_eq!(site.usual_time(), Duration::from_millis(10));
        for _ in 0..100 {
            site.learn(Duration::from_millis(70));
        }
        assert_eq!(site.usual_time(), Duration::from_millis(70));
    }

    #[test]
    fn sites_are_shared_by_label_and_bounded() {
        let (sites, policy) = (Sites::default(), Policy::default());
        let one = sites.of("POST x/a".to_owned(), &policy);
        assert!(Arc::ptr_eq(&one, &sites.of("POST x/a".to_owned(), &policy)));
        for it in 0..2 * SITES_MAX {
            sites.of(format!("POST x/{it}"), &policy);
        }
        assert!(sites.0.lock().unwrap().len() <= SITES_MAX + 1);
        let other = sites.of("POST x/one-more".to_owned(), &policy);
        assert_eq!(other.label, "POST *");
        assert!(Arc::ptr_eq(&one, &sites.of("POST x/a".to_owned(), &policy)));
    }
}
