//! A borrowed connection that never goes back to the pool half-used: for reads, and under a `Tx`.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use super::connection::Ledger;
use super::error::{Error, Operation};
use crate::shutdown::Tasks;

/// A connection whose server does not answer for so long is given up.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// A borrowed connection. [`Reader::finish`] returns it to the pool.
///
/// # Cancellation
///
/// Dropped without that, in the middle of a query say, it is closed. The driver would return it
/// and wait for the query's end there, without limit: behind a host that is gone, such waits hold
/// the pool's places until the kernel gives up, a quarter of an hour later.
#[derive(Debug)]
pub struct Reader {
    connection: PoolConnection<Postgres>,
    is_finished: bool,
}

impl Reader {
    pub(super) async fn borrow(pool: &PgPool, operation: Operation) -> Result<Self, Error> {
        let connection = pool.acquire().await.map_err(Error::driver(operation))?;
        Ok(Self {
            connection,
            is_finished: false,
        })
    }

    /// Returns the connection to the pool.
    ///
    /// The driver asks the server first whether it is still there, and would wait without limit.
    pub fn finish(mut self) {
        self.is_finished = true;
        let returning = self.connection.return_to_pool();
        Tasks::default().spawn(timeout(RETURN_TIMEOUT, returning));
    }
}

impl Ledger {
    /// Borrows a connection for reading. A write belongs into a transaction.
    pub async fn reader(&self) -> Result<Reader, Error> {
        Reader::borrow(&self.pool, Operation::Begin).await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_finished {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Reader {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
