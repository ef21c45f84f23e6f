//! The one transaction of an operation: claim, effects and stored answer, together or not at all.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::postgres::PgTransactionManager;
use sqlx::{PgConnection, SqlSafeStr};
use sqlx_core::transaction::TransactionManager;
use tokio::sync::watch;

use super::error::{Class, Error, Operation};
use super::reader::Reader;
use super::step::Step;

/// The transaction that an operation's effects belong into. Use it as a `PgConnection`:
/// `sqlx::query("…").execute(&mut *tx)`; nested transactions (`tx.begin()`) are savepoints.
///
/// It is committed by the store, together with the stored answer, and by nobody else. A statement
/// `COMMIT` or `ROLLBACK` sent through it by hand breaks that promise.
///
/// # Cancellation
///
/// Dropped before its end, at any await point, its connection is closed and never returns to the
/// pool: the server rolls back, and the next borrower is never inside somebody's transaction.
pub struct Tx {
    connection: Reader,
    /// Who waits for events, told when one was committed.
    enqueued: watch::Sender<u64>,
    has_events: bool,
}

impl Tx {
    /// Starts a transaction on `connection`, at READ COMMITTED whatever the role's default is.
    pub(super) async fn begin(
        connection: Reader,
        enqueued: watch::Sender<u64>,
    ) -> Result<Self, Error> {
        let mut tx = Self {
            connection,
            enqueued,
            has_events: false,
        };
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE".into_sql_str();
        PgTransactionManager::begin(&mut tx.connection, Some(begin))
            .await
            .map_err(Error::driver(Operation::Begin))?;
        Ok(tx)
    }

    /// Commits. An error of class `Indeterminate` leaves open whether it did.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        if PgTransactionManager::get_transaction_depth(&self.connection) != 1 {
            return Err(Error::new(
                Operation::Commit,
                Class::Permanent,
                "a savepoint was left open",
            ));
        }
        let step = Step::Commit.begin();
        let committed = PgTransactionManager::commit(&mut self.connection).await;
        step.ended(committed.map_err(Error::driver(Operation::Commit)))?;
        if self.has_events {
            self.enqueued.send_modify(|it| *it = it.wrapping_add(1));
        }
        self.connection.finish();
        Ok(())
    }

    /// Has whoever waits on [`Ledger::enqueued`](super::Ledger::enqueued) told once this is committed.
    pub(crate) fn tell_of_events(&mut self) {
        self.has_events = true;
    }

    /// Rolls back and returns the connection to the pool.
    pub(super) async fn rollback(mut self) -> Result<(), Error> {
        while 0 < PgTransactionManager::get_transaction_depth(&self.connection) {
            PgTransactionManager::rollback(&mut self.connection)
                .await
                .map_err(Error::driver(Operation::Rollback))?;
        }
        self.connection.finish();
        Ok(())
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}
