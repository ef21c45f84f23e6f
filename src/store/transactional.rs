//! Runs an operation whose effects lie inside Postgres, at most once.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use super::error::Error;
use super::hint::{Hint, Knowledge, judge};
use super::open::{Inner, Store};
use super::patience::Patience;
use super::settle::{Attempt, Known, Settled};
use super::wait::{Round, Sign, is_early};
use crate::clock;
use crate::domain::{Claim, Decision, Epoch, Record, State, Stored};
use crate::hot::{self, Envelope, Latch};
use crate::ledger::Tx;

/// What a handler returns to the store: its transaction, its answer, and what to keep of either.
#[derive(Debug)]
pub struct Finished<T> {
    /// The transaction it was given. `None` where it was not given back: nothing is committed.
    pub tx: Option<Tx>,
    /// What is to be kept.
    pub keep: Keep,
    /// The answer in whatever form the caller wants it back.
    pub value: T,
}

/// What is kept of an execution.
#[derive(Debug)]
pub enum Keep {
    /// The effects and the answer: the usual end.
    EffectsAndAnswer(Stored),
    /// The answer alone: a refusal that the same request would meet again, such as a declined
    /// card. What the handler wrote is rolled back.
    Answer(Stored),
    /// Nothing: the attempt failed, and the next one runs again.
    Nothing,
}

impl Keep {
    /// The effects alone, for work that has no key to keep an answer under.
    pub fn effects() -> Self {
        Self::EffectsAndAnswer(Stored::TooLarge {
            status: http::StatusCode::OK,
        })
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It ran, and what was to be kept is committed.
    Executed(T),
    /// It ran and kept nothing.
    NotKept(T),
    /// It did not run: replay, in flight, mismatch or unverifiable.
    Decided(Decision),
}

impl Store {
    /// Runs `work` for `claim`, unless its key says otherwise.
    ///
    /// `work` gets the transaction that its effects belong into, and returns it. It runs at most
    /// once, and its effects are committed together with its answer or not at all. `observe` is
    /// shown the end, also where the caller is gone by then.
    ///
    /// Where somebody else works on the key, `patience` says how long to wait for the end of that.
    ///
    /// # Cancellation
    ///
    /// Dropping the returned future stops no work: that ends in a task of its own, bounded by
    /// `ledger.operation_timeout`, and its answer is there for the retry. It does end a wait, of which
    /// `observe` is shown nothing.
    pub async fn transactional<T, W, F, O>(
        &self,
        claim: Claim,
        patience: &mut Patience,
        work: W,
        observe: O,
    ) -> Result<Outcome<T>, Error>
    where
        T: Send + 'static,
        W: FnOnce(Tx) -> F + Send + 'static,
        F: Future<Output = Finished<T>> + Send,
        O: FnOnce(&Result<Outcome<T>, Error>) + Send + 'static,
    {
        let ended = self.rounds(claim, patience, work, observe).await;
        patience.leave(!is_early(&ended, true));
        ended
    }

    async fn rounds<T, W, F, O>(
        &self,
        claim: Claim,
        patience: &mut Patience,
        mut work: W,
        mut observe: O,
    ) -> Result<Outcome<T>, Error>
    where
        T: Send + 'static,
        W: FnOnce(Tx) -> F + Send + 'static,
        F: Future<Output = Finished<T>> + Send,
        O: FnOnce(&Result<Outcome<T>, Error>) + Send + 'static,
    {
        loop {
            let (inner, asked) = (Arc::clone(&self.inner), claim.clone());
            let (is_willing, has_waited) = (patience.is_willing(), patience.has_waited());
            let round = self.detached(async move {
                let mut work = Some(work);
                let ended = inner.run(asked, &mut work).await;
                Ok(match work {
                    Some(work) if is_willing && is_early(&ended, has_waited) => {
                        Round::Early(ended, (work, observe))
                    }
                    Some(_) | None => {
                        observe(&ended);
                        Round::Ended(ended)
                    }
                })
            });
            let early = match round.await? {
                Round::Ended(ended) => return ended,
                Round::Early(ended, left) => {
                    (work, observe) = left;
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
    /// One attempt. It takes `work` only where it runs it.
    async fn run<T, W, F>(&self, claim: Claim, work: &mut Option<W>) -> Result<Outcome<T>, Error>
    where
        T: Send,
        W: FnOnce(Tx) -> F + Send,
        F: Future<Output = Finished<T>> + Send,
    {
        let mut attempt = self.attempt(claim);
        self.points
            .reach("store.transactional.before_latch")
            .await?;
        match self.latch(&attempt).await {
            Latching::Latched => attempt.is_latched = true,
            Latching::Hint(Hint::Decided(decision)) => return Ok(Outcome::Decided(decision)),
            Latching::Hint(Hint::AskLedger { foreign }) => attempt.foreign = foreign,
        }
        let settled = match self.points.reach("store.transactional.after_latch").await {
            Ok(()) => self.settle(&attempt, work).await,
            Err(injected) => Err(injected.into()),
        };
        let record = match &settled {
            Ok(Settled::Committed(_, record)) => Some(record),
            Ok(Settled::Known(known)) => known.record.as_ref(),
            Ok(Settled::NotKept(_)) | Err(_) => None,
        };
        let is_published = match record {
            Some(record) => self.publish(&attempt, record).await,
            None => false,
        };
        // What is committed stays committed, whatever a test makes fail here.
        let after = self.points.reach("store.transactional.after_publish");
        after.await.ok();
        if attempt.is_latched && !is_published {
            self.unlatch(&attempt).await;
        }
        let has_run = work.is_none();
        self.tell_of_end(&attempt, record.map(|it| &**it), has_run);
        settled.map(|it| match it {
            Settled::Committed(value, _) => Outcome::Executed(value),
            Settled::NotKept(value) => Outcome::NotKept(value),
            Settled::Known(known) => Outcome::Decided(known.decision),
        })
    }

    pub(super) fn attempt(&self, claim: Claim) -> Attempt {
        let epoch = self
            .epoch
            .confirmed_within(self.ledger_settings.epoch_max_age);
        let latch = Envelope {
            // A latch counts whatever its epoch is; it only has to have one.
            epoch: epoch.unwrap_or(Epoch {
                number: 0,
                timeline: 0,
            }),
            fingerprint: claim.fingerprint,
            content: Latch {
                token: *Uuid::new_v4().as_bytes(),
                started_at: clock::now(),
                attempt: 1,
            },
        };
        let deadline = Instant::now() + self.ledger_settings.operation_timeout;
        Attempt {
            claim,
            latch,
            epoch,
            deadline,
            is_latched: false,
            foreign: None,
        }
    }

    /// Asks Redis. Whatever goes wrong with it, the request goes on to the ledger.
    pub(super) async fn latch(&self, attempt: &Attempt) -> Latching {
        let held = match self
            .hot
            .acquire(&attempt.claim.identity, &attempt.latch)
            .await
        {
            Ok(hot::Acquired::Latched) => return Latching::Latched,
            Ok(hot::Acquired::Held(held)) => held,
            Ok(hot::Acquired::Garbage) => return Latching::Hint(Hint::ASK),
            Err(error) if error.may_have_happened() => return Latching::Latched,
            Err(_) => return Latching::Hint(Hint::ASK),
        };
        let known = Knowledge {
            epoch: attempt.epoch.or_else(|| self.epoch_when_ledger_down()),
            now: clock::now(),
            trust_window: self.hot_settings.trust_window,
        };
        Latching::Hint(judge(&attempt.claim, held, known))
    }

    /// Takes our latch away. Where that can't be done, it ends by its own expiry.
    pub(super) async fn unlatch(&self, attempt: &Attempt) {
        let before = self.points.reach("store.latch.before_release").await;
        if before.is_err() {
            return;
        }
        let (identity, latch) = (&attempt.claim.identity, &attempt.latch);
        drop(self.hot.release(identity, latch).await);
        self.points.reach("store.latch.after_release").await.ok();
    }

    /// By policy, an answer may be replayed while the ledger can't confirm its epoch.
    fn epoch_when_ledger_down(&self) -> Option<Epoch> {
        if self.hot_settings.replay_when_ledger_down {
            self.epoch.last_known()
        } else {
            None
        }
    }

    /// Tells those in this process who wait for it. A record that says how the operation ended saves
    /// them the question; an attempt that ran and left none lets one of them try.
    pub(super) fn tell_of_end(&self, attempt: &Attempt, record: Option<&Record>, has_run: bool) {
        let done = record.filter(|it| matches!(it.state, State::Completed { .. }));
        if done.is_some() || has_run {
            self.ends.tell(attempt.claim.identity.id(), done);
        }
    }

    /// Tells Redis what the ledger has committed. The command is queued before this returns, so
    /// that this process's next request for the key sees it; its reply is awaited by a task. False
    /// where there was nothing to tell.
    pub(super) async fn publish(&self, attempt: &Attempt, record: &Record) -> bool {
        let (
            Some(epoch),
            State::Completed {
                stored,
                completed_at,
                expires_at,
            },
        ) = (attempt.epoch, &record.state)
        else {
            return false;
        };
        if self
            .points
            .reach("store.transactional.before_publish")
            .await
            .is_err()
        {
            return false;
        }
        let answer = Envelope {
            epoch,
            fingerprint: record.fingerprint.unwrap_or(attempt.claim.fingerprint),
            content: hot::Completed {
                stored: stored.clone(),
                completed_at: *completed_at,
                expires_at: *expires_at,
            },
        };
        let (hot, identity, latch) = (self.hot.clone(), attempt.claim.identity, attempt.latch);
        let mut writing = Box::pin(async move { hot.complete(&identity, &latch, &answer).await });
        // One poll queues the command; see `Hot::complete`.
        if futures_util::poll!(&mut writing).is_pending() {
            // What becomes of it is the breaker's concern: the ledger has the answer.
            self.tasks.spawn(async move { drop(writing.await) });
        }
        true
    }
}

/// What asking Redis came to.
pub(super) enum Latching {
    /// Our latch is there, or may be: the reply was lost. Either way it is ours to take away.
    Latched,
    /// It is not.
    Hint(Hint),
}
