//! How long a duplicate is ready to wait for the first one's answer, and its place while it does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::ends::Listener;
use crate::backoff::{self, Backoff};
use crate::config;
use crate::telemetry::metrics::{self, WaitEnd};

/// How often somebody who waits asks by himself. An end in this process is told at once; this is for the
/// others, and the cap is what a wait costs the ledger at most.
const LOOKS: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// How many may wait at once, and how long. Cloning shares the places.
#[derive(Debug, Clone)]
pub struct WaitingRoom {
    places: Arc<Semaphore>,
    longest: Duration,
}

/// How long one request waits, counted from its arrival.
#[derive(Debug)]
pub struct Patience {
    places: Arc<Semaphore>,
    limit: Duration,
    until: Instant,
    /// There was no place when one was asked for.
    is_refused: bool,
    place: Option<Place>,
    has_waited: bool,
    n_looks: u32,
    /// Kept while the ledger is asked, so that no end in between is missed.
    pub(super) listener: Option<Listener>,
}

/// A place in the waiting room. It is counted as long as it is held.
#[derive(Debug)]
struct Place {
    end: WaitEnd,
    _permit: OwnedSemaphorePermit,
}

impl WaitingRoom {
    /// A room with `idempotency.max_waiters` places, for `idempotency.max_wait` at most.
    pub fn new(settings: &config::Idempotency) -> Self {
        let most = settings.max_waiters.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(most)),
            longest: settings.max_wait,
        }
    }

    /// The patience of a request that has asked for so long a wait, or for none.
    pub fn patience(&self, asked: Option<Duration>) -> Patience {
        let limit = asked.unwrap_or_default().min(self.longest);
        Patience {
            places: Arc::clone(&self.places),
            limit,
            until: Instant::now() + limit,
            is_refused: false,
            place: None,
            has_waited: false,
            n_looks: 0,
            listener: None,
        }
    }
}

impl Patience {
    /// No patience: a duplicate is turned away at once.
    pub fn none() -> Self {
        let places = Arc::new(Semaphore::new(0));
        let longest = Duration::ZERO;
        WaitingRoom { places, longest }.patience(None)
    }

    /// The longest that this request waits.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether it was given a place, and so has waited.
    pub fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Whether it would wait from now on.
    pub(super) fn is_willing(&self) -> bool {
        !self.is_refused && Instant::now() < self.until
    }

    /// Takes a place, where it has none yet; false where there is none.
    pub(super) fn take_place(&mut self) -> bool {
        if self.place.is_none() {
            let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
                self.is_refused = true;
                metrics::count_wait(WaitEnd::NoPlace);
                return false;
            };
            metrics::add_waiting(1);
            self.has_waited = true;
            self.place = Some(Place {
                end: WaitEnd::Gone,
                _permit: permit,
            });
        }
        true
    }

    /// When to ask next, were nobody to tell: never after the patience has ended.
    pub(super) fn next_look(&mut self) -> Instant {
        let longest = LOOKS.ceiling(self.n_looks);
        self.n_looks = self.n_looks.saturating_add(1);
        // At least half of it, so that nobody asks twice in a row; the rest is drawn, so that those
        // who came together do not ask together.
        let pause = longest / 2 + backoff::up_to(longest / 2, backoff::draw());
        (Instant::now() + pause).min(self.until)
    }

    /// Something has happened: asks often again.
    pub(super) fn look_soon(&mut self) {
        self.n_looks = 0;
        self.listener = None;
    }

    /// Gives the place back.
    pub(super) fn leave(&mut self, is_answered: bool) {
        self.listener = None;
        if let Some(mut place) = self.place.take() {
            place.end = if is_answered {
                WaitEnd::Answered
            } else {
                WaitEnd::TurnedAway
            };
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::add_waiting(-1);
        metrics::count_wait(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(n_places: usize) -> WaitingRoom {
        WaitingRoom::new(&config::Idempotency {
            max_waiters: n_places,
            max_wait: Duration::from_secs(10),
            ..config::Idempotency::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_he_asked_for_or_than_the_room_allows() {
        let room = room(1);
        for (asked, limit) in [(3, 3), (10, 10), (u64::MAX, 10), (0, 0)] {
            let patience = room.patience(Some(Duration::from_secs(asked)));
            assert_eq!(patience.limit(), Duration::from_secs(limit));
            assert_eq!(patience.is_willing(), 0 < limit);
        }
        assert!(!room.patience(None).is_willing());
        assert!(!Patience::none().is_willing());
        let mut patience = room.patience(Some(Duration::from_secs(3)));
        let end = Instant::now() + Duration::from_secs(3);
        let mut n_looks = 0;
        while patience.is_willing() {
            let next = patience.next_look();
            assert!(next <= end);
            n_looks += 1;
            tokio::time::sleep_until(next).await;
        }
        assert_eq!(Instant::now(), end);
        assert!((5..20).contains(&n_looks), "{n_looks}");
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_holder_leaves_or_is_gone() {
        let room = room(1);
        let asked = Some(Duration::from_secs(3));
        let (mut one, mut other) = (room.patience(asked), room.patience(asked));
        assert!(one.take_place() && one.take_place(), "one place is enough");
        assert!(!other.take_place());
        assert!(!other.is_willing() && !other.has_waited());
        one.leave(true);
        assert!(one.has_waited());
        let mut third = room.patience(asked);
        assert!(third.take_place());
        drop(third);
        assert!(room.patience(asked).take_place());
    }
}
