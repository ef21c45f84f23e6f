//! Runs a leased operation for a request: latch, acquire, drive, publish.

use std::sync::Arc;

use super::drive::End;
use super::registry::Leased;
use crate::domain::{Carried, Claim, Decision, Operation, Response};
use crate::ledger::{self, LeaseAcquired};
use crate::store::error::Error;
use crate::store::hint::Hint;
use crate::store::open::{Inner, Store};
use crate::store::settle::{Attempt, Known, Settled};
use crate::store::transactional::{Latching, Outcome};

impl Store {
    /// Tells the rescuer how to bring operations of this name to their ends.
    pub fn register(&self, name: Operation, leased: Leased) {
        self.inner.registry.add(name, leased);
    }

    /// Runs `leased` for `claim`, unless its key says otherwise, or goes on where an attempt that was
    /// abandoned got to. `carried` is the request, as the phases find it. `observe` is shown the end, also
    /// where the caller is gone by then.
    ///
    /// # Cancellation
    ///
    /// Dropping the returned future stops nothing: the work ends in a task of its own, bounded by
    /// `ledger.operation_timeout`, and its answer is there for the retry.
    pub async fn leased(
        &self,
        claim: Claim,
        leased: Leased,
        carried: Carried,
        observe: impl FnOnce(&Result<Outcome<Response>, Error>) + Send + 'static,
    ) -> Result<Outcome<Response>, Error> {
        let inner = Arc::clone(&self.inner);
        self.detached(async move {
            let ended = Box::pin(inner.run_leased(claim, leased, carried)).await;
            observe(&ended);
            ended
        })
        .await
    }
}

impl Inner {
    async fn run_leased(
        &self,
        claim: Claim,
        leased: Leased,
        carried: Carried,
    ) -> Result<Outcome<Response>, Error> {
        let mut attempt = self.attempt(claim);
        match self.latch(&attempt).await {
            Latching::Latched => attempt.is_latched = true,
            Latching::Hint(Hint::Decided(decision)) => return Ok(Outcome::Decided(decision)),
            Latching::Hint(Hint::AskLedger { foreign }) => attempt.foreign = foreign,
        }
        let settled = self.settle_leased(&attempt, &leased, carried).await;
        let record = match &settled {
            Ok(Settled::Committed(_, record)) => Some(record),
            Ok(Settled::Known(known)) => known.record.as_ref(),
            Ok(Settled::NotKept(_)) | Err(_) => None,
        };
        let is_published = match record {
            Some(record) => self.publish(&attempt, record).await,
            None => false,
        };
        if attempt.is_latched && !is_published {
            // Without Redis, the latch ends by its own expiry.
            let (identity, latch) = (&attempt.claim.identity, &attempt.latch);
            drop(self.hot.release(identity, latch).await);
        }
        settled.map(|it| match it {
            Settled::Committed(answer, _) => Outcome::Executed(answer),
            Settled::NotKept(answer) => Outcome::NotKept(answer),
            Settled::Known(known) => Outcome::Decided(known.decision),
        })
    }

    async fn settle_leased(
        &self,
        attempt: &Attempt,
        leased: &Leased,
        carried: Carried,
    ) -> Result<Settled<Response>, Error> {
        let held = match self.acquire_lease(attempt, leased, carried).await? {
            LeaseAcquired::Held(held) => *held,
            LeaseAcquired::Found(record) => {
                return Ok(Settled::Known(Known::of(&attempt.claim, *record)));
            }
            LeaseAcquired::Busy => return Ok(Settled::Known(Known::in_flight())),
        };
        if let Some(foreign) = &attempt.foreign {
            // Nobody works on the key but us, so that latch is a leftover.
            drop(self.hot.release(&attempt.claim.identity, foreign).await);
        }
        self.points.reach("store.leased.after_claim").await?;
        match self.drive(held, leased, attempt.deadline).await {
            End::Completed(answer, record) => Ok(Settled::Committed(answer, record)),
            End::Unknown => Ok(Settled::Known(Known {
                decision: Decision::Unknown {
                    identity: attempt.claim.identity,
                },
                record: None,
            })),
            End::Unfinished(cause) => Err(Error::Unfinished(cause)),
            End::Lost => self.after_loss(attempt).await,
            End::CommitUnanswered(error) => self
                .after_failed_commit(attempt, error)
                .await
                .map(Settled::Known),
        }
    }

    /// Somebody else has the record, or has brought it to its end: what it says now is the answer.
    async fn after_loss(&self, attempt: &Attempt) -> Result<Settled<Response>, Error> {
        match self.look_up_again(attempt).await {
            Ok(found) => Ok(Settled::Known(Known::lost(&attempt.claim, found))),
            Err(error) => Err(Error::OutcomeUnknown(ledger::Error::commit_unanswered(
                error,
            ))),
        }
    }
}
