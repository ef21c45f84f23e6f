//! The ledger's part of a transactional operation: claim, work, store the answer, commit.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::hint::RETRY_AFTER;
use super::open::Inner;
use super::transactional::{Finished, Keep};
use crate::domain::{Claim, Decision, Epoch, Record, State, Stored, decide};
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
    /// Whether our latch is in Redis.
    pub(super) is_latched: bool,
    /// Whether a latch in Redis names another request under this key.
    pub(super) is_latched_for_another: bool,
}

/// What the ledger's part came to.
pub(super) enum Settled<T> {
    /// Our record is committed.
    Committed(T, Box<Record>),
    /// Nothing was kept.
    NotKept(T),
    /// A record was there, or somebody is working on it.
    Decided(Decision, Option<Box<Record>>),
}

/// Our record, or what somebody else committed first.
type Committed = Result<Box<Record>, (Decision, Option<Box<Record>>)>;

/// What looking at the ledger came to.
enum Claimed {
    /// The key is ours within this transaction.
    New(Tx),
    /// It is not; the record, where there is one, is worth publishing.
    Decided(Decision, Option<Box<Record>>),
}

impl Claimed {
    fn in_flight() -> Self {
        Self::Decided(
            Decision::InFlight {
                retry_after: RETRY_AFTER,
            },
            None,
        )
    }

    fn known(claim: &Claim, record: Box<Record>) -> Self {
        // The ledger has left out what its own clock calls expired.
        let unexpired = OffsetDateTime::UNIX_EPOCH;
        let decision = decide(claim, Some((*record).clone()), unexpired);
        Self::Decided(decision, Some(record))
    }
}

impl Inner {
    /// The ledger's part, in one transaction.
    pub(super) async fn settle<T, W, F>(
        &self,
        attempt: &Attempt,
        work: W,
    ) -> Result<Settled<T>, Error>
    where
        T: Send,
        W: FnOnce(Tx) -> F + Send,
        F: Future<Output = Finished<T>> + Send,
    {
        let claimed = timeout_at(attempt.deadline, self.claim(attempt)).await;
        let tx = match claimed.map_err(|_elapsed| Error::TimedOut)?? {
            Claimed::New(tx) => tx,
            Claimed::Decided(decision, record) => return Ok(Settled::Decided(decision, record)),
        };
        let worked = timeout_at(attempt.deadline, catch_panic(async { work(tx).await })).await;
        let finished = worked
            .map_err(|_elapsed| Error::TimedOut)?
            .map_err(|panic| Error::from_panic(&*panic))?;
        self.points.reach("store.transactional.after_work").await?;
        let tx = finished.tx.ok_or(Error::TransactionEscaped)?;
        let (tx, stored) = match finished.keep {
            Keep::EffectsAndAnswer(stored) => (tx, stored),
            Keep::Answer(stored) => match self.without_effects(attempt, tx).await? {
                Claimed::New(tx) => (tx, stored),
                Claimed::Decided(decision, record) => {
                    return Ok(Settled::Decided(decision, record));
                }
            },
            Keep::Nothing => {
                self.roll_back(tx).await;
                return Ok(Settled::NotKept(finished.value));
            }
        };
        match self.commit(attempt, tx, stored).await? {
            Ok(record) => Ok(Settled::Committed(finished.value, record)),
            Err((decision, record)) => Ok(Settled::Decided(decision, record)),
        }
    }

    /// Begins, locks and looks up.
    async fn claim(&self, attempt: &Attempt) -> Result<Claimed, Error> {
        let mut tx = self.ledger.begin().await.map_err(Error::from_ledger)?;
        self.points.reach("store.transactional.after_begin").await?;
        let acquired = self.ledger.acquire(&mut tx, &attempt.claim).await;
        let record = match acquired.map_err(Error::from_ledger)? {
            Acquired::Claimed => None,
            Acquired::Found(record) => Some(record),
            Acquired::Busy => {
                // First of all: a claim that gave up waiting has aborted its transaction.
                self.roll_back(tx).await;
                return self.busy(attempt).await;
            }
        };
        self.points
            .reach("store.transactional.after_acquire")
            .await?;
        let Some(record) = record else {
            return Ok(Claimed::New(tx));
        };
        self.roll_back(tx).await;
        Ok(Claimed::known(&attempt.claim, record))
    }

    /// Another transaction works on the key. What it was asked for is visible to nobody but
    /// Redis; where Redis says that it was another request, this one is a mismatch, unless the
    /// ledger has a record and so the last word.
    async fn busy(&self, attempt: &Attempt) -> Result<Claimed, Error> {
        if !attempt.is_latched_for_another {
            return Ok(Claimed::in_flight());
        }
        let found = self.ledger.look_up(&attempt.claim).await;
        match found.map_err(Error::from_ledger)? {
            Some(record) => Ok(Claimed::known(&attempt.claim, Box::new(record))),
            None => Ok(Claimed::Decided(Decision::Mismatch, None)),
        }
    }

    /// Rolls back what the handler wrote and claims the key again, to keep the answer alone. In
    /// between, somebody else may have been first: then their answer is the answer.
    async fn without_effects(&self, attempt: &Attempt, tx: Tx) -> Result<Claimed, Error> {
        self.roll_back(tx).await;
        let claimed = timeout_at(attempt.deadline, self.claim(attempt)).await;
        claimed.map_err(|_elapsed| Error::TimedOut)?
    }

    /// Stores the answer and commits. The inner `Err` is what somebody else committed first.
    async fn commit(
        &self,
        attempt: &Attempt,
        mut tx: Tx,
        stored: Stored,
    ) -> Result<Committed, Error> {
        let completing = self.ledger.complete(&mut tx, &attempt.claim, &stored);
        let completion = timeout_at(attempt.deadline, completing).await;
        let completion = completion.map_err(|_elapsed| Error::TimedOut)?;
        let completed = match completion.map_err(Error::from_ledger)? {
            Completion::Stored(completed) => completed,
            Completion::Lost => {
                self.roll_back(tx).await;
                return self.lost_race(attempt).await.map(Err);
            }
        };
        self.points
            .reach("store.transactional.before_commit")
            .await?;
        // Past the deadline, a COMMIT under way is given the time of one more statement: what it
        // came to is worth knowing.
        let patience = attempt.deadline + self.ledger_settings.statement_timeout;
        let result = match timeout_at(patience, self.ledger.commit(tx)).await {
            Ok(result) => result,
            Err(elapsed) => Err(ledger::Error::commit_unanswered(elapsed)),
        };
        if let Err(error) = result {
            return self.after_failed_commit(attempt, error).await;
        }
        if let Err(injected) = self.points.reach("store.transactional.after_commit").await {
            let error = ledger::Error::commit_unanswered(injected);
            return self.after_failed_commit(attempt, error).await;
        }
        Ok(Ok(Box::new(Record {
            fingerprint: Some(attempt.claim.fingerprint),
            state: State::Completed {
                stored,
                completed_at: completed.completed_at,
                expires_at: completed.expires_at,
            },
        })))
    }

    /// COMMIT failed. Where it may have happened, the ledger is asked on another connection: a
    /// record there is the truth. Its absence is not, because the server may still be at it.
    async fn after_failed_commit(
        &self,
        attempt: &Attempt,
        error: ledger::Error,
    ) -> Result<Committed, Error> {
        if error.class != ledger::Class::Indeterminate {
            return Err(Error::from_ledger(error));
        }
        let patience = Instant::now() + self.ledger_settings.acquire_timeout;
        match timeout_at(patience, self.ledger.look_up(&attempt.claim)).await {
            Ok(Ok(Some(record))) => match Claimed::known(&attempt.claim, Box::new(record)) {
                Claimed::Decided(decision, record) => Ok(Err((decision, record))),
                Claimed::New(_) => Err(Error::OutcomeUnknown(error)),
            },
            Ok(Ok(None) | Err(_)) | Err(_) => Err(Error::OutcomeUnknown(error)),
        }
    }

    /// Another transaction stored a record for this key while ours ran.
    async fn lost_race(&self, attempt: &Attempt) -> Result<(Decision, Option<Box<Record>>), Error> {
        let found = timeout_at(attempt.deadline, self.ledger.look_up(&attempt.claim)).await;
        let found = found
            .map_err(|_elapsed| Error::TimedOut)?
            .map_err(Error::from_ledger)?;
        // Gone again already: it expired, or it was a claim that was rolled back.
        let found = found.map(|it| Claimed::known(&attempt.claim, Box::new(it)));
        match found.unwrap_or_else(Claimed::in_flight) {
            Claimed::Decided(decision, record) => Ok((decision, record)),
            Claimed::New(_) => Ok((
                Decision::InFlight {
                    retry_after: RETRY_AFTER,
                },
                None,
            )),
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

impl<T> fmt::Debug for Settled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Committed(..) => "Committed",
            Self::NotKept(_) => "NotKept",
            Self::Decided(..) => "Decided",
        })
    }
}
