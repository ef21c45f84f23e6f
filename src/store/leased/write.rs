//! A writing phase: its statements and its recovery point, or its answer, in one transaction.

use tokio::time::timeout_at;

use super::drive::{Fault, Run};
use super::operation::{Phase, Written};
use crate::domain::{Record, Response};
use crate::store::error::Error;
use crate::store::open::Inner;
use crate::store::settle::catch_panic;

impl Inner {
    /// Runs `phase`; the answer where it was the last one.
    pub(super) async fn write(
        &self,
        run: &mut Run<'_>,
        phase: &Phase,
    ) -> Result<Option<(Response, Box<Record>)>, Fault> {
        let begun = timeout_at(run.deadline, self.ledger.begin()).await;
        let mut tx = begun.map_err(Fault::timed_out)?.map_err(Fault::failed)?;
        let writing = run
            .leased
            .operation
            .write(phase.name, run.context(), &mut tx);
        let written = timeout_at(run.deadline, catch_panic(writing)).await;
        let written = written
            .map_err(Fault::timed_out)?
            .map_err(|panic| Fault::failed(Error::from_panic(&*panic)))?
            .map_err(Fault::failed)?;
        match written {
            Written::Next(value) => {
                let carried = run.progress.carried.clone().with(phase.name, value);
                let next = run.after(phase, carried)?;
                self.advance(run, tx, next).await?;
                self.points
                    .reach("store.leased.after_phase")
                    .await
                    .map_err(Fault::failed)?;
                Ok(None)
            }
            Written::Finished(answer) => self.complete(run, tx, answer).await.map(Some),
        }
    }
}
