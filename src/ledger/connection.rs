//! The pool of connections to the ledger, and what each of them is made to obey.

use std::time::Duration;

use crate::config::Secret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Row};
use tokio::sync::watch;

use super::error::{Class, Error, Operation};
use super::tx::Tx;
use crate::config;

/// Set on each new connection, because the server's defaults (off) leave the lock of a process
/// that is gone, or cut off, in place for hours. `tcp_user_timeout` is ignored where the platform
/// has none.
///
/// `jit`: on partitions without statistics the planner expects so many rows that it compiles our
/// short statements for longer than it runs them: 700 ms instead of 2 for a batch of the inbox, and
/// on a busy machine longer than the statement timeout.
const SESSION: &str = "
SELECT set_config('statement_timeout', $1, false),
       set_config('idle_in_transaction_session_timeout', $2, false),
       set_config('client_connection_check_interval', $3, false),
       set_config('tcp_user_timeout', $4, false),
       set_config('jit', 'off', false)";

/// 1 inside a transaction that somebody left open, 0 otherwise, in one simple-protocol trip.
///
/// Cancelling a pool's `begin()` in sqlx up to 0.9.0 returns a connection to the pool inside an
/// open transaction; the next borrower's write would be acknowledged and lost (sqlx issue 4385).
/// Through a prepared statement the two times differ always, so this must stay simple.
const IS_STALE: &str = "SELECT (now() <> statement_timestamp())::int";

/// A connection lives this long at most, so that pools follow a fail-over behind one name.
const LIFETIME_MAX: Duration = Duration::from_mins(30);

/// The ledger. Cloning shares the pool.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) pool: PgPool,
    /// One connection of its own for the epoch: a pool that requests have used up must not make
    /// the hot path's answers look stale, and so send even more requests to the pool.
    pub(super) watch: PgPool,
    /// For a connection past the pools, whose failure says why: a pool only says that it waited.
    pub(super) options: PgConnectOptions,
    pub(super) settings: config::Ledger,
    pub(super) retention: Duration,
    pub(super) stub_lock: bool,
    /// Counts the commits that had events in them.
    pub(super) enqueued: watch::Sender<u64>,
}

impl Ledger {
    /// Makes the pool; connects when first used. Fails only on a URL that is none.
    pub fn new(
        url: &Secret,
        settings: &config::Ledger,
        retention: Duration,
    ) -> Result<Self, Error> {
        let unusable = |cause| Error::new(Operation::Connect, Class::Permanent, cause);
        let options: PgConnectOptions = url.expose().parse().map_err(unusable)?;
        let options = options.application_name("oncely");
        Ok(Self {
            pool: pool(&options, settings, settings.pool_size),
            watch: pool(&options, settings, 1),
            options,
            settings: settings.clone(),
            retention,
            stub_lock: false,
            enqueued: watch::Sender::new(0),
        })
    }

    /// The same ledger with `n_connections` of its own, for background work: neither side can use
    /// up the other's.
    #[must_use]
    pub fn apart(&self, n_connections: u32) -> Self {
        Self {
            pool: pool(&self.options, &self.settings, n_connections),
            watch: pool(&self.options, &self.settings, 1),
            ..self.clone()
        }
    }

    /// Tells of each commit in this process that had events in it.
    pub fn enqueued(&self) -> watch::Receiver<u64> {
        self.enqueued.subscribe()
    }

    /// The same ledger with an advisory lock that is always free, as on engines that have none:
    /// the primary key alone must hold. For tests.
    #[cfg(feature = "failpoints")]
    #[must_use]
    pub fn with_stubbed_lock(mut self) -> Self {
        self.stub_lock = true;
        self
    }

    /// Starts a transaction on a connection of its own.
    ///
    /// # Cancellation
    ///
    /// The connection is closed.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Tx::begin(self.reader().await?, self.enqueued.clone()).await
    }

    /// The pool, for reads of the host application. A write belongs into a transaction.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How many connections are open, and how many of them are idle.
    pub fn connections(&self) -> (u32, u32) {
        let n_idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        (self.pool.size(), n_idle)
    }

    /// Closes the pool; borrowed connections are closed when they come back.
    pub async fn close(&self) {
        self.watch.close().await;
        self.pool.close().await;
    }
}

/// A pool that connects when first used.
fn pool(options: &PgConnectOptions, settings: &config::Ledger, n_connections: u32) -> PgPool {
    let session = [
        settings.statement_timeout,
        settings.idle_in_transaction_timeout,
        settings.client_connection_check_interval,
        settings.tcp_user_timeout,
    ]
    .map(|it| it.as_millis().to_string());
    PgPoolOptions::new()
        .max_connections(n_connections)
        .acquire_timeout(settings.acquire_timeout)
        .max_lifetime(LIFETIME_MAX)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(is_fresh(connection)))
        .after_connect(move |connection, _| {
            let session = session.clone();
            Box::pin(async move { prepare_session(connection, &session).await })
        })
        .connect_lazy_with(options.clone())
}

async fn prepare_session(connection: &mut PgConnection, session: &[String; 4]) -> sqlx::Result<()> {
    let [statement, idle, check, tcp] = session;
    let set = sqlx::query(SESSION)
        .bind(statement)
        .bind(idle)
        .bind(check)
        .bind(tcp);
    set.execute(connection).await.map(|_| ())
}

/// False, which closes the connection, where an open transaction was left on it.
async fn is_fresh(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let row = sqlx::raw_sql(IS_STALE).fetch_one(connection).await?;
    let is_stale: i32 = row.try_get(0)?;
    if is_stale != 0 {
        tracing::warn!("closed a pooled connection that was left inside a transaction");
    }
    Ok(is_stale == 0)
}
