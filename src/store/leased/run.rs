//! Runs a leased operation for a request: latch, acquire, drive, publish.

use std::sync::Arc;

use super::drive::End;
use super::registry::Leased;
use crate::domain::{Carried, Claim, Decision, Operation, Response};
use crate::ledger::{self, LeaseAcquired};
use crate::store::error::Error;
use crate::store::hint::Hint;
use crate::store::open::{Inner, Store};
use crate::store::patience::Patience;
use crate::store::settle::{Attempt, Known, Settled};
use crate::store::transactional::{Latching, Outcome};
use crate::store::wait::{Round, Sign, is_early};

impl Store {
    /// Tells the rescuer how to bring operations of this name to their ends.
    pub fn register(&self, name: Operation, leased: Leased) {
        self.inner.registry.add(name, leased);
    }

    /// Runs `leased` for `claim`, unless its key says otherwise, or goes on where an attempt that was
    /// abandoned got to. `carried` is the request, as the phases find it. `observe` is shown the end, also
    /// where the caller is gone by then.
    ///
    /// Where somebody else works on the key, `patience` says how long to wait for the end of that.
    ///
    /// # Cancellation
    ///
    /// As [`Store::transactional`]: it ends a wait, and stops no work.
    pub async fn leased<O>(
        &self,
        claim: Claim,
        patience: &mut Patience,
        (leased, carried): (Leased, Carried),
        observe: O,
    ) -> Result<Outcome<Response>, Error>
    where
        O: FnOnce(&Result<Outcome<Response>, Error>) + Send + 'static,
    {
        let operation = (&leased, &carried);
        let ended = self
            .leased_rounds(claim, patience, operation, observe)
            .await;
        patience.leave(!is_early(&ended, true));
        ended
    }

    async fn leased_rounds<O>(
        &self,
        claim: Claim,
        patience: &mut Patience,
        (leased, carried): (&Leased, &Carried),
        mut observe: O,
    ) -> Result<Outcome<Response>, Error>
    where
        O: FnOnce(&Result<Outcome<Response>, Error>) + Send + 'static,
    {
        loop {
            let (inner, asked) = (Arc::clone(&self.inner), claim.clone());
            let (leased, carried) = (leased.clone(), carried.clone());
            let (is_willing, has_waited) = (patience.is_willing(), patience.has_waited());
            let round = self.detached(async move {
                let ended = Box::pin(inner.run_leased(asked, leased, carried)).await;
                Ok(if is_willing && is_early(&ended, has_waited) {
                    Round::Early(ended, observe)
                } else {
                    observe(&ended);
                    Round::Ended(ended)
                })
            });
            let early = match round.await? {
                Round::Ended(ended) => return ended,
                Round::Early(ended, left) => {
                    observe = left;
                    ended
                }
            };
            let ended = match self.inner.wait(patience, &claim.identity).await {
                Sign::AskAgain => continue,
                Sign::Known(record) => {
                    let record = Arc::unwrap_or_clone(record);
                    Ok(Outcome::Decided(Known::of(&claim, record).decision))
                }
                Sign::GiveUp => early,
            };
            observe(&ended);
            return ended;
        }
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
        self.points.reach("store.leased.before_latch").await?;
        match self.latch(&attempt).await {
            Latching::Latched => attempt.is_latched = true,
            Latching::Hint(Hint::Decided(decision)) => return Ok(Outcome::Decided(decision)),
            Latching::Hint(Hint::AskLedger { foreign }) => attempt.foreign = foreign,
        }
        let mut has_run = false;
        let mut settled = match self.points.reach("store.leased.after_latch").await {
            Ok(()) => {
                self.settle_leased(&attempt, &leased, carried, &mut has_run)
                    .await
            }
            Err(injected) => Err(injected.into()),
        };
        if let Ok(Settled::Committed(_, record)) = &mut settled {
            record.fingerprint = Some(attempt.claim.fingerprint);
        }
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
            self.unlatch(&attempt).await;
        }
        self.tell_of_end(&attempt, record.map(|it| &**it), has_run);
        settled.map(|it| match it {
            Settled::Committed(answer, _) => Outcome::Executed(answer),
            Settled::NotKept(answer) => Outcome::NotKept(answer),
            Settled::Known(known) => Outcome::Decided(known.decision),
        })
    }

    /// Sets `has_run` once the lease is ours.
    async fn settle_leased(
        &self,
        attempt: &Attempt,
        leased: &Leased,
        carried: Carried,
        has_run: &mut bool,
    ) -> Result<Settled<Response>, Error> {
        let held = match self.acquire_lease(attempt, leased, carried).await? {
            LeaseAcquired::Held(held) => {
                *has_run = true;
                *held
            }
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
