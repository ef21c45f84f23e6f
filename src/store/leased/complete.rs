//! The last transaction: the last phase's writes and the answer.

use tokio::time::timeout_at;

use super::drive::{Fault, Run};
use crate::domain::{Record, Response, State, Stored};
use crate::ledger::{self, Fenced, Tx};
use crate::store::open::Inner;

/// An answer that says that nobody knows can't be the last word.
#[derive(Debug, thiserror::Error)]
#[error("an operation finished with status {0}, which can't be kept")]
struct NotFinal(http::StatusCode);

impl Inner {
    pub(super) async fn complete(
        &self,
        run: &Run<'_>,
        mut tx: Tx,
        answer: Response,
    ) -> Result<(Response, Box<Record>), Fault> {
        if !(200..500).contains(&answer.status.as_u16()) {
            return Err(Fault::failed(NotFinal(answer.status)));
        }
        let reached = self.points.reach("store.leased.before_complete").await;
        reached.map_err(Fault::failed)?;
        let stored = Stored::bounded(answer.clone(), run.leased.answer_bytes_max);
        let completing = self.ledger.complete_lease(&mut tx, run.lease, &stored);
        let completed = timeout_at(run.deadline, completing).await;
        let completed = match completed
            .map_err(Fault::timed_out)?
            .map_err(Fault::failed)?
        {
            Fenced::Done(completed) => completed,
            Fenced::Lost => {
                self.roll_back(tx).await;
                return Err(Fault::Lost);
            }
        };
        let patience = run.deadline + self.ledger_settings.statement_timeout;
        let mut committed = match timeout_at(patience, self.ledger.commit(tx)).await {
            Ok(committed) => committed,
            Err(elapsed) => Err(ledger::Error::commit_unanswered(elapsed)),
        };
        if let Err(injected) = self.points.reach("store.leased.after_complete").await {
            committed = Err(ledger::Error::commit_unanswered(injected));
        }
        match committed {
            Ok(()) => (),
            Err(error) if error.class == ledger::Class::Indeterminate => {
                return Err(Fault::CommitUnanswered(error));
            }
            Err(error) => return Err(Fault::failed(error)),
        }
        let record = Record {
            // Filled in by nobody: who publishes it knows the request's own.
            fingerprint: None,
            state: State::Completed {
                stored,
                completed_at: completed.completed_at,
                expires_at: completed.expires_at,
            },
        };
        Ok((answer, Box::new(record)))
    }
}
