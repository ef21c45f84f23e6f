//! The ledger's part of a transactional operation: claim, work, store the answer, commit.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::open::Inner;
use super::transactional::{Finished, Keep};
use crate::domain::{
    Claim, Decision, Epoch, RETRY_AFTER, Record, State, Stored, decide_busy, decide_found,
    decide_lost, decide_unanswered,
};
use crate::hot::{Envelope, Latch};
use crate::ledger::{self, Acquired, Completion, Tx};

/// The attempt's own data, from latch to publish.
pub(super) struct Attempt {
    pub(super) claim: Claim,
    pub(super) latch: Envelope<Latch>,
    /// The epoch as it was confirmed before anything was sent to the ledger. An answer is bound
    /// to this one: were it read after the commit, a fail-over in between would give a commit of
    /// the old history the new history's epoch.
    pub(super) epoch: Option<Epoch>,
    pub(super) deadline: Instant,
    /// Whether our latch is in Redis, or may be.
    pub(super) is_latched: bool,
    /// A latch in Redis that names another request under this key.
    pub(super) foreign: Option<Envelope<Latch>>,
}

/// What the ledger's part came to.
pub(super) enum Settled<T> {
    /// Our record is committed.
    Committed(T, Box<Record>),
    /// Nothing was kept.
    NotKept(T),
    /// There was nothing to run.
    Known(Known),
}

/// A request that does not run: what it comes to, and the record that says so, where there is one.
pub(super) struct Known {
    pub(super) decision: Decision,
    pub(super) record: Option<Box<Record>>,
}

/// What looking at the ledger came to.
enum Claimed {
    /// The key is ours within this transaction.
    New(Tx),
    /// It is not.
    Known(Known),
}

/// What committing came to.
enum Ended {
    Committed(Box<Record>),
    /// Somebody else committed first.
    Known(Known),
}

impl Known {
    pub(super) fn in_flight() -> Self {
        let decision = Decision::InFlight {
            retry_after: RETRY_AFTER,
        };
        Self {
            decision,
            record: None,
        }
    }

    pub(super) fn of(claim: &Claim, record: Record) -> Self {
        Self {
            decision: decide_found(claim, record.clone()),
            record: Some(Box::new(record)),
        }
    }

    /// What another's work on the key comes to, where the ledger then showed `found`.
    pub(super) fn lost(claim: &Claim, found: Option<Record>) -> Self {
        Self {
            decision: decide_lost(claim, found.clone()),
            record: found.map(Box::new),
        }
    }
}

impl Inner {
    /// The ledger's part, in one transaction. It takes `work` only where the key is ours.
    pub(super) async fn settle<T, W, F>(
        &self,
        attempt: &Attempt,
        work: &mut Option<W>,
    ) -> Result<Settled<T>, Error>
    where
        T: Send,
        W: FnOnce(Tx) -> F + Send,
        F: Future<Output = Finished<T>> + Send,
    {
        let tx = match self.claim_in_time(attempt).await? {
            Claimed::New(tx) => tx,
            Claimed::Known(known) => return Ok(Settled::Known(known)),
        };
        if let Some(foreign) = &attempt.foreign {
            // Nobody works on the key but us, so that latch is a leftover: left alone, it would
            // make mismatches of our own duplicates.
            drop(self.hot.release(&attempt.claim.identity, foreign).await);
        }
        let work = work
            .take()
            .expect("invariant: an attempt begins with its work");
        let worked = timeout_at(attempt.deadline, catch_panic(async { work(tx).await })).await;
        let finished = worked
            .map_err(|_elapsed| Error::TimedOut)?
            .map_err(|panic| Error::from_panic(&*panic))?;
        self.points.reach("store.transactional.after_work").await?;
        let tx = finished.tx.ok_or(Error::TransactionEscaped)?;
        let (tx, stored) = match finished.keep {
            Keep::EffectsAndAnswer(stored) => (tx, stored),
            Keep::Answer(stored) => {
                // Between the roll-back and the new claim somebody else may be first: then theirs
                // is the answer.
                self.roll_back(tx).await;
                match self.claim_in_time(attempt).await? {
                    Claimed::New(tx) => (tx, stored),
                    Claimed::Known(known) => return Ok(Settled::Known(known)),
                }
            }
            Keep::Nothing => {
                self.roll_back(tx).await;
                return Ok(Settled::NotKept(finished.value));
            }
        };
        Ok(match self.commit(attempt, tx, stored).await? {
            Ended::Committed(record) => Settled::Committed(finished.value, record),
            Ended::Known(known) => Settled::Known(known),
        })
    }

    async fn claim_in_time(&self, attempt: &Attempt) -> Result<Claimed, Error> {
        let claimed = timeout_at(attempt.deadline, self.claim(attempt)).await;
        claimed.map_err(|_elapsed| Error::TimedOut)?
    }

    /// Begins, locks and looks up.
    async fn claim(&self, attempt: &Attempt) -> Result<Claimed, Error> {
        let mut tx = self.ledger.begin().await.map_err(Error::from_ledger)?;
        self.points.reach("store.transactional.after_begin").await?;
        let acquired = self.ledger.acquire(&mut tx, &attempt.claim).await;
        let acquired = acquired.map_err(Error::from_ledger)?;
        self.points
            .reach("store.transactional.after_acquire")
            .await?;
        match acquired {
            Acquired::Claimed => Ok(Claimed::New(tx)),
            Acquired::Found(record) => {
                self.roll_back(tx).await;
                Ok(Claimed::Known(Known::of(&attempt.claim, *record)))
            }
            Acquired::Busy => {
                // Where a lock time-out said it, the transaction takes no further statement.
                self.roll_back(tx).await;
                self.busy(attempt).await.map(Claimed::Known)
            }
        }
    }

    /// Another transaction works on the key. The ledger is asked once more only where Redis names
    /// another request.
    async fn busy(&self, attempt: &Attempt) -> Result<Known, Error> {
        let is_foreign = attempt.foreign.is_some();
        if !is_foreign {
            return Ok(Known::in_flight());
        }
        let found = self.ledger.look_up(&attempt.claim).await;
        let found = found.map_err(Error::from_ledger)?;
        Ok(Known {
            decision: decide_busy(&attempt.claim, is_foreign, found.clone()),
            record: found.map(Box::new),
        })
    }

    /// Stores the answer and commits.
    async fn commit(&self, attempt: &Attempt, mut tx: Tx, stored: Stored) -> Result<Ended, Error> {
        let completing = self.ledger.complete(&mut tx, &attempt.claim, &stored);
        let completion = timeout_at(attempt.deadline, completing).await;
        let completion = completion.map_err(|_elapsed| Error::TimedOut)?;
        let completed = match completion.map_err(Error::from_ledger)? {
            Completion::Stored(completed) => completed,
            Completion::Lost => {
                self.roll_back(tx).await;
                return self.lost_race(attempt).await.map(Ended::Known);
            }
        };
        self.points
            .reach("store.transactional.before_commit")
            .await?;
        // Past the deadline, a COMMIT under way is given the time of one more statement: what it
        // came to is worth knowing.
        let patience = attempt.deadline + self.ledger_settings.statement_timeout;
        let mut result = match timeout_at(patience, self.ledger.commit(tx)).await {
            Ok(result) => result,
            Err(elapsed) => Err(ledger::Error::commit_unanswered(elapsed)),
        };
        if let Err(injected) = self.points.reach("store.transactional.after_commit").await {
            result = Err(ledger::Error::commit_unanswered(injected));
        }
        if let Err(error) = result {
            let known = self.after_failed_commit(attempt, error).await?;
            return Ok(Ended::Known(known));
        }
        Ok(Ended::Committed(Box::new(Record {
            fingerprint: Some(attempt.claim.fingerprint),
            state: State::Completed {
                stored,
                completed_at: completed.completed_at,
                expires_at: completed.expires_at,
            },
        })))
    }

    /// COMMIT failed. Where it may have happened, the ledger is asked on another connection.
    pub(super) async fn after_failed_commit(
        &self,
        attempt: &Attempt,
        error: ledger::Error,
    ) -> Result<Known, Error> {
        if error.class != ledger::Class::Indeterminate {
            return Err(Error::from_ledger(error));
        }
        let found = self.look_up_again(attempt).await.unwrap_or_default();
        match decide_unanswered(&attempt.claim, found.clone()) {
            Some(decision) => Ok(Known {
                decision,
                record: found.map(Box::new),
            }),
            None => Err(Error::OutcomeUnknown(error)),
        }
    }

    /// Another transaction stored a record for this key while ours ran. That much is certain, so
    /// whatever goes wrong from here on must not say that nothing was done.
    async fn lost_race(&self, attempt: &Attempt) -> Result<Known, Error> {
        let reached = self.points.reach("store.transactional.after_lost_race");
        let found = match reached.await {
            Ok(()) => self.look_up_again(attempt).await,
            Err(injected) => Err(ledger::Error::commit_unanswered(injected)),
        };
        match found {
            Ok(found) => Ok(Known::lost(&attempt.claim, found)),
            Err(error) => Err(Error::OutcomeUnknown(error)),
        }
    }

    pub(super) async fn look_up_again(
        &self,
        attempt: &Attempt,
    ) -> Result<Option<Record>, ledger::Error> {
        let patience = Instant::now() + self.ledger_settings.acquire_timeout;
        match timeout_at(patience, self.ledger.look_up(&attempt.claim)).await {
            Ok(found) => found,
            Err(elapsed) => Err(ledger::Error::commit_unanswered(elapsed)),
        }
    }

    /// A roll-back that fails has closed its connection, and the server rolls back by itself.
    pub(super) async fn roll_back(&self, tx: Tx) {
        let patience = Instant::now() + self.ledger_settings.statement_timeout;
        match timeout_at(patience, self.ledger.rollback(tx)).await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no roll-back");
            }
            Err(_elapsed) => tracing::debug!("no roll-back in time"),
        }
    }
}

/// Turns a panic of `work` into a value, so that its latch can be released.
pub(super) async fn catch_panic<F: Future>(work: F) -> Result<F::Output, Box<dyn Any + Send>> {
    AssertUnwindSafe(work).catch_unwind().await
}
