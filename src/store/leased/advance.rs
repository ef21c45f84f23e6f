//! Commits a recovery point together with what was written in its transaction.

use tokio::time::timeout_at;

use super::drive::{Fault, Run};
use crate::domain::Progress;
use crate::ledger::{Fenced, Tx};
use crate::store::open::Inner;

impl Inner {
    /// Commits `tx` with the recovery point `next`, from which `run` goes on.
    ///
    /// A COMMIT whose reply is lost ends the attempt: the next one reads how far it is.
    pub(super) async fn advance(
        &self,
        run: &mut Run<'_>,
        mut tx: Tx,
        next: Progress,
    ) -> Result<(), Fault> {
        let advancing = self.ledger.advance(&mut tx, run.lease, &next);
        let advanced = timeout_at(run.deadline, advancing).await;
        match advanced.map_err(Fault::timed_out)?.map_err(Fault::failed)? {
            Fenced::Done(()) => (),
            Fenced::Lost => {
                self.roll_back(tx).await;
                return Err(Fault::Lost);
            }
        }
        let reached = self.points.reach("store.leased.before_advance").await;
        reached.map_err(Fault::failed)?;
        let patience = run.deadline + self.ledger_settings.statement_timeout;
        let committed = timeout_at(patience, self.ledger.commit(tx)).await;
        committed
            .map_err(Fault::timed_out)?
            .map_err(Fault::failed)?;
        run.is_key_ours |= next.downstream_key.is_some();
        run.progress = next;
        Ok(())
    }
}
