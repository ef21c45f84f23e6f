//! A calling phase: the key first, then the call, then what came back.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::drive::{Fault, Run};
use super::operation::{Called, Calling, Phase};
use crate::backoff;
use crate::domain::{Sending, Unanswered, after_call, before_call, downstream_key};
use crate::store::error::Error;
use crate::store::open::Inner;
use crate::store::settle::catch_panic;

/// How long to wait before a second call at most; doubled with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest such wait.
const PAUSE_MOST: Duration = Duration::from_secs(1);

/// What is left of an attempt's time for what comes after its calls.
const RESERVE: Duration = Duration::from_secs(1);

/// How often what came back is tried to be stored: it is known now, and soon nowhere.
const STORE_TRIES: u32 = 3;

/// An earlier attempt stored its key and ended.
#[derive(Debug, thiserror::Error)]
#[error("an earlier attempt may have sent this call, and the other side can't tell a repeat")]
struct MayHaveBeenSent;

impl Inner {
    pub(super) async fn call(
        &self,
        run: &mut Run<'_>,
        phase: &Phase,
        calling: Calling,
    ) -> Result<(), Fault> {
        let key = downstream_key(run.lease.id, phase.name);
        let is_stored = run.progress.downstream_key == Some(key);
        match before_call(is_stored, run.is_key_ours, calling.accepts_keys) {
            Sending::Send => (),
            Sending::Never => return Err(Fault::Unknown(MayHaveBeenSent.into())),
            Sending::StoreKey => {
                let mut announced = run.progress.clone();
                announced.downstream_key = Some(key);
                self.record(run, announced).await?;
            }
        }
        let reached = self.points.reach("store.leased.before_call").await;
        reached.map_err(Fault::failed)?;
        let value = self.call_until_answered(run, phase, calling, key).await?;
        // It may have come late, and must not be forgotten for that.
        let patience = Instant::now() + self.ledger_settings.statement_timeout;
        run.deadline = run.deadline.max(patience);
        let reached = self.points.reach("store.leased.after_call").await;
        reached.map_err(Fault::failed)?;
        let carried = run.progress.carried.clone().with(phase.name, value);
        let mut next = run.after(phase, carried)?;
        // It stays for an operator to see.
        next.downstream_key = next.downstream_key.or(Some(key));
        let mut n_tries = 1;
        while let Err(fault) = self.record(run, next.clone()).await {
            if n_tries == STORE_TRIES || matches!(fault, Fault::Lost) {
                return Err(fault);
            }
            n_tries += 1;
            sleep(PAUSE_FIRST).await;
        }
        Ok(())
    }

    /// Stores a recovery point in a transaction of its own.
    async fn record(
        &self,
        run: &mut Run<'_>,
        progress: crate::domain::Progress,
    ) -> Result<(), Fault> {
        let begun = timeout_at(run.deadline, self.ledger.begin()).await;
        let tx = begun.map_err(Fault::timed_out)?.map_err(Fault::failed)?;
        self.advance(run, tx, progress).await
    }

    /// Calls, and calls again as long as that is safe and there is time.
    async fn call_until_answered(
        &self,
        run: &Run<'_>,
        phase: &Phase,
        calling: Calling,
        key: Uuid,
    ) -> Result<serde_json::Value, Fault> {
        let mut may_be_done = !run.is_key_ours;
        let mut pause = PAUSE_FIRST;
        loop {
            let called = run.leased.operation.call(phase.name, run.context(), key);
            let called = match timeout(calling.timeout, catch_panic(called)).await {
                Ok(Ok(called)) => called,
                Ok(Err(panic)) => Called::Unanswered(Error::from_panic(&*panic).into()),
                Err(elapsed) => Called::Unanswered(elapsed.into()),
            };
            let (unanswered, cause) = match called {
                Called::Answered(value) => return Ok(value),
                Called::Unanswered(cause) => (Unanswered::MayBeDone, cause),
                Called::NotDone(cause) => (Unanswered::NotDone, cause),
                Called::GivenUp(cause) => {
                    return Err(Fault::Failed {
                        cause,
                        nothing_sent: !may_be_done,
                    });
                }
            };
            may_be_done = match after_call(unanswered, may_be_done, calling.accepts_keys) {
                Some(may_be_done) => may_be_done,
                None => return Err(Fault::Unknown(cause)),
            };
            tracing::debug!(error = &*cause as &dyn std::error::Error, "a call failed");
            // Callers who failed together do not come back together.
            let wait = backoff::up_to(pause, backoff::draw());
            let again = Instant::now() + wait;
            if run.deadline < again + calling.timeout + RESERVE {
                return Err(Fault::Failed {
                    cause,
                    nothing_sent: !may_be_done,
                });
            }
            sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MOST);
        }
    }
}
