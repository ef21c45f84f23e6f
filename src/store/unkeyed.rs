//! Runs an operation without a key: one transaction, no record, no promise about repeats.

use std::future::Future;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::open::{Inner, Store};
use super::settle::catch_panic;
use super::transactional::{Finished, Keep};
use crate::ledger::{self, Tx};

impl Store {
    /// Runs `work` in a transaction of its own, for a route whose key is optional and absent.
    ///
    /// # Cancellation
    ///
    /// As [`Store::transactional`]: dropping the returned future stops nothing.
    pub async fn unkeyed<T, W, F>(
        &self,
        work: W,
        observe: impl FnOnce(&Result<T, Error>) + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Tx) -> F + Send + 'static,
        F: Future<Output = Finished<T>> + Send,
    {
        let inner = Arc::clone(&self.inner);
        self.detached(async move {
            let ended = inner.run_unkeyed(work).await;
            observe(&ended);
            ended
        })
        .await
    }
}

impl Inner {
    async fn run_unkeyed<T, W, F>(&self, work: W) -> Result<T, Error>
    where
        T: Send,
        W: FnOnce(Tx) -> F + Send,
        F: Future<Output = Finished<T>> + Send,
    {
        let deadline = Instant::now() + self.ledger_settings.operation_timeout;
        let begun = timeout_at(deadline, self.ledger.begin()).await;
        let tx = begun
            .map_err(|_elapsed| Error::TimedOut)?
            .map_err(Error::from_ledger)?;
        let worked = timeout_at(deadline, catch_panic(async { work(tx).await })).await;
        let finished = worked
            .map_err(|_elapsed| Error::TimedOut)?
            .map_err(|panic| Error::from_panic(&*panic))?;
        let mut tx = finished.tx.ok_or(Error::TransactionEscaped)?;
        match finished.keep {
            Keep::EffectsAndAnswer(_) => {
                // COMMIT of a transaction that a failed statement has aborted is answered with
                // ROLLBACK and no error. With a key, storing the answer would have shown it.
                let probed = timeout_at(deadline, self.ledger.probe(&mut tx)).await;
                probed
                    .map_err(|_elapsed| Error::TimedOut)?
                    .map_err(Error::from_ledger)?;
                let patience = deadline + self.ledger_settings.statement_timeout;
                let committed = timeout_at(patience, self.ledger.commit(tx)).await;
                committed
                    .unwrap_or_else(|elapsed| Err(ledger::Error::commit_unanswered(elapsed)))
                    .map_err(Error::from_ledger)?;
            }
            Keep::Answer(_) | Keep::Nothing => self.roll_back(tx).await,
        }
        Ok(finished.value)
    }
}
