//! Takes a held record from phase to phase, to its end or to where this attempt gives up.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::operation::{Context, Kind, Phase, PhaseError};
use super::registry::Leased;
use crate::domain::{Carried, Lease, Progress, Record, Response, downstream_key};
use crate::ledger::{self, Fenced, Held};
use crate::store::error::Error;
use crate::store::open::Inner;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum End {
    /// The answer is committed.
    Completed(Response, Box<Record>),
    /// A call was sent whose end nobody knows, and it must not be sent again.
    Unknown,
    /// This attempt gave up; the next one goes on from the recovery point.
    Unfinished(PhaseError),
    /// Another attempt has taken over.
    Lost,
    /// COMMIT of the answer was sent and no reply came.
    CommitUnanswered(ledger::Error),
}

/// What ends an attempt before its time.
#[derive(Debug)]
pub(super) enum Fault {
    /// See [`End::Lost`].
    Lost,
    /// A phase failed. `nothing_sent`: the call whose key is stored was surely not made.
    Failed {
        cause: PhaseError,
        nothing_sent: bool,
    },
    /// See [`End::Unknown`].
    Unknown(PhaseError),
    /// See [`End::CommitUnanswered`].
    CommitUnanswered(ledger::Error),
}

/// One attempt under way.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) lease: &'a Lease,
    pub(super) leased: &'a Leased,
    pub(super) deadline: Instant,
    pub(super) progress: Progress,
    /// Whether the stored key was stored by this attempt, so that nobody before it has sent it.
    pub(super) is_key_ours: bool,
}

/// A process that was changed in between does not know the record's phase.
#[derive(Debug, thiserror::Error)]
#[error("this version of the operation has no phase after `{0}`")]
struct NoSuchPhase(String);

impl Fault {
    pub(super) fn failed(cause: impl Into<PhaseError>) -> Self {
        Self::Failed {
            cause: cause.into(),
            nothing_sent: false,
        }
    }

    pub(super) fn timed_out(_elapsed: tokio::time::error::Elapsed) -> Self {
        Self::failed(Error::TimedOut)
    }
}

impl Run<'_> {
    pub(super) fn context(&self) -> Context<'_> {
        Context {
            tenant: &self.lease.tenant,
            carried: &self.progress.carried,
        }
    }

    /// The phase to run: the recovery point's, or the one after it where an operator has filled in
    /// what the call came to.
    fn phase(&self) -> Option<Phase> {
        let phases = self.leased.operation.phases().iter();
        let rest = phases.skip_while(|it| it.name != self.progress.phase);
        rest.copied().find(|it| !self.progress.carried.has(it.name))
    }

    /// The recovery point after `phase` has recorded what is in `carried`.
    pub(super) fn after(&self, phase: &Phase, carried: Carried) -> Result<Progress, Fault> {
        let phases = self.leased.operation.phases().iter();
        let next = phases.skip_while(|it| it.name != phase.name).nth(1);
        let next = next.ok_or_else(|| Fault::failed(NoSuchPhase(phase.name.to_owned())))?;
        Ok(progress_to(next, self.lease.id, carried))
    }
}

/// The recovery point at the beginning of `phase`: where that is a call, with the key that it will
/// carry, so that it is stored before anything is sent.
pub(super) fn progress_to(phase: &Phase, id: [u8; 16], carried: Carried) -> Progress {
    let is_call = matches!(phase.kind, Kind::Call(_));
    Progress {
        phase: phase.name.to_owned(),
        carried,
        downstream_key: is_call.then(|| downstream_key(id, phase.name)),
    }
}

impl Inner {
    /// Goes from phase to phase while a heartbeat keeps the lease.
    ///
    /// # Cancellation
    ///
    /// As if the process had died: what is committed stays, and the lease ends by itself.
    pub(super) async fn drive(&self, held: Held, leased: &Leased, deadline: Instant) -> End {
        let lease = held.lease;
        let run = Run {
            lease: &lease,
            leased,
            deadline,
            progress: held.progress,
            is_key_ours: !held.is_taken_over,
        };
        let last_beat = deadline + self.grace(leased);
        tokio::select! {
            end = Box::pin(self.to_the_end(run)) => end,
            () = self.keep(&lease) => End::Lost,
            () = sleep_until(last_beat) => {
                // A heart that beats for work that hangs would keep everybody else away for ever.
                let (tenant, id) = (lease.tenant.as_str(), lease.reference());
                tracing::error!(tenant, id, "an attempt hangs; its lease is left to end");
                End::Lost
            }
        }
    }

    /// How long an attempt may go on past its deadline at most: each call that was sent is waited for
    /// and what it came to is stored, and so is how the attempt ended.
    fn grace(&self, leased: &Leased) -> Duration {
        let statement = self.ledger_settings.statement_timeout;
        let phases = leased.operation.phases().iter();
        let calls = phases.filter_map(|it| match it.kind {
            Kind::Call(calling) => Some(calling.timeout + statement),
            Kind::Write => None,
        });
        calls.sum::<Duration>() + statement * 2
    }

    async fn to_the_end(&self, mut run: Run<'_>) -> End {
        let fault = loop {
            let Some(phase) = run.phase() else {
                break Fault::failed(NoSuchPhase(run.progress.phase));
            };
            match phase.kind {
                Kind::Write => match self.write(&mut run, &phase).await {
                    Ok(Some((answer, record))) => return End::Completed(answer, record),
                    Ok(None) => (),
                    Err(fault) => break fault,
                },
                Kind::Call(calling) => {
                    if let Err(fault) = self.call(&mut run, &phase, calling).await {
                        break fault;
                    }
                }
            }
        };
        self.conclude(run.lease, fault).await
    }

    /// Leaves the record so that the next attempt, or an operator, can go on at once. Where that can't
    /// be written either, the lease ends by itself and the next attempt draws the same conclusion.
    async fn conclude(&self, lease: &Lease, fault: Fault) -> End {
        match fault {
            Fault::Lost => End::Lost,
            Fault::Failed {
                cause,
                nothing_sent,
            } => match self.release(lease, nothing_sent).await {
                Some(Fenced::Lost) => End::Lost,
                Some(Fenced::Done(())) | None => End::Unfinished(cause),
            },
            Fault::Unknown(cause) => {
                tracing::error!(
                    error = &*cause as &dyn std::error::Error,
                    tenant = lease.tenant.as_str(),
                    id = lease.reference(),
                    "a call was sent and its end is not known; see `oncely key list`"
                );
                match self.mark_unknown(lease).await {
                    Some(Fenced::Done(())) => End::Unknown,
                    Some(Fenced::Lost) => End::Lost,
                    None => End::Unfinished(cause),
                }
            }
            Fault::CommitUnanswered(error) => {
                self.release(lease, false).await;
                End::CommitUnanswered(error)
            }
        }
    }
}
