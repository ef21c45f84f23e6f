//! Waits for the end of an operation that somebody else works on, holding nothing but a place.
//!
//! A wait is a row of rounds. Each is an ordinary attempt, in a task of its own, that finds the key
//! taken; between two of them the request sleeps here, in its caller's future, without a connection,
//! a lock or a latch. So there is nothing to clean up when its client hangs up, and nothing new to
//! prove: whoever waits is a client that comes again, without the way.

use std::sync::Arc;

use tokio::time::sleep_until;

use super::error::Error;
use super::open::{Inner, Store};
use super::patience::Patience;
use super::transactional::Outcome;
use crate::domain::{Decision, Identity, Record};

/// What one round came to.
pub(super) enum Round<T, R> {
    /// The request has its verdict.
    Ended(Result<Outcome<T>, Error>),
    /// Somebody else works on it: the verdict, should nobody wait, and what a further round needs.
    Early(Result<Outcome<T>, Error>, R),
}

/// Why a wait is over.
pub(super) enum Sign {
    /// It is time for another round.
    AskAgain,
    /// The operation is done, and this is its record.
    Known(Arc<Record>),
    /// There is no place, or the process is stopping.
    GiveUp,
}

impl Store {
    /// Lets nobody wait from now on: who does so is turned away at once, and comes again elsewhere.
    /// For a process that is stopping; draining [`Store::tasks`] does it too, but that comes last.
    pub fn stop_waiting(&self) {
        self.inner.closing.cancel();
    }
}

impl Inner {
    /// Waits until another round is worth it.
    ///
    /// # Cancellation
    ///
    /// The place stays with `patience`, which gives it back when it is dropped.
    pub(super) async fn wait(&self, patience: &mut Patience, identity: &Identity) -> Sign {
        if self.closing.is_cancelled() || !patience.take_place() {
            return Sign::GiveUp;
        }
        let next_look = patience.next_look();
        let listener = patience
            .listener
            .get_or_insert_with(|| self.ends.listen(identity));
        // Where a test holds one of these, whether it fails is all the same.
        self.points.reach("store.wait.begun").await.ok();
        let look = async {
            sleep_until(next_look).await;
            self.points.reach("store.wait.look").await.ok();
        };
        let heard = tokio::select! {
            biased;
            () = self.closing.cancelled() => return Sign::GiveUp,
            heard = listener.heard() => heard,
            () = look => return Sign::AskAgain,
        };
        patience.look_soon();
        heard.map_or(Sign::AskAgain, Sign::Known)
    }
}

/// Whether a request with this end may wait for a better one: somebody else is at it; or, where it
/// waits already, the ledger could not be asked just now.
pub(super) fn is_early<T>(ended: &Result<Outcome<T>, Error>, has_waited: bool) -> bool {
    match ended {
        Ok(Outcome::Decided(Decision::InFlight { .. })) => true,
        Err(Error::Unavailable(_)) => has_waited,
        Ok(_) | Err(_) => false,
    }
}
