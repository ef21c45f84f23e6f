//! Work that ends as if its caller had stayed.

use std::future::Future;

use tracing::Instrument as _;

use super::error::Error;
use super::open::Store;
use crate::ledger;

impl Store {
    /// Runs `work` in a task of its own and waits for its end.
    ///
    /// A handler's panic is caught inside. What ends the task from outside, or is a bug of ours,
    /// may come after COMMIT was sent, so it leaves the outcome open.
    ///
    /// # Cancellation
    ///
    /// Dropping the returned future stops nothing.
    pub(super) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let task = self.inner.tasks.spawn(work.in_current_span());
        task.await.unwrap_or_else(|ended| {
            Err(Error::OutcomeUnknown(ledger::Error::commit_unanswered(
                ended,
            )))
        })
    }
}
