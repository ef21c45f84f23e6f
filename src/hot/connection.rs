//! Connections to Redis that heal by themselves, while no request ever waits for one.
//!
//! deadpool makes, bounds and health-checks them. A checkout costs a round trip (UNWATCH + PING),
//! so requests don't check out: they use clones of multiplexed connections that a background loop
//! holds (measured: 22,800 replays/s with a checkout each, 54,700 with clones). Once a second, and
//! when a request met trouble, the loop gives its connections back to the pool and takes them
//! again; that is the check, and a connection that fails it is replaced.
//!
//! Where there is none, a request is told at once and goes on with the ledger alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Secret;
use arc_swap::ArcSwap;
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, IntoConnectionInfo, RedisError};
use tokio::sync::Notify;

use super::Settings;
use crate::shutdown::Tasks;

/// How long a connection goes unchecked where no request complains.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long the loop rests after a check, so that a thousand complaints are one check.
const CHECK_SPACING: Duration = Duration::from_millis(20);

/// How many commands may wait for one connection's writer. The driver's own 50 fill up under load,
/// and a command that waits for a place may be overtaken. Of 16 KiB each they'd hold 16 MiB, for
/// as long as the timeout.
const QUEUE_MAX: usize = 1024;

/// The connections that requests use at the moment.
#[derive(Debug)]
pub(super) struct Connections {
    published: ArcSwap<Vec<MultiplexedConnection>>,
    /// Calls for a check.
    wake: Notify,
    /// Set where the server itself is the wrong one: PING would find nothing amiss.
    is_elsewhere: AtomicBool,
}

/// What the background loop has.
struct Keeper {
    connections: Arc<Connections>,
    pool: Pool,
    slots: Vec<Option<Connection>>,
    /// What the log said last, so that it says each thing once.
    was_up: Option<bool>,
}

impl Connections {
    /// Connects, and keeps connected in the background. Fails only on a URL that can't be used.
    pub(super) async fn start(
        url: &Secret,
        settings: &Settings,
        tasks: &Tasks,
    ) -> Result<Arc<Self>, RedisError> {
        let connections = Arc::new(Self {
            published: ArcSwap::default(),
            wake: Notify::new(),
            is_elsewhere: AtomicBool::new(false),
        });
        let mut keeper = Keeper {
            connections: Arc::clone(&connections),
            pool: pool(url, settings)?,
            slots: (0..settings.connections.max(1)).map(|_| None).collect(),
            was_up: None,
        };
        keeper.check().await;
        tasks.spawn_loop(keeper.run());
        Ok(connections)
    }

    /// The connection that `route` leads to, always the same one while all are well, so that
    /// commands about one record keep their order.
    pub(super) fn pick(&self, route: u64) -> Option<MultiplexedConnection> {
        let published = self.published.load();
        let count = u64::try_from(published.len()).ok()?;
        let at = route.checked_rem(count)?;
        published.get(usize::try_from(at).ok()?).cloned()
    }

    /// Whether there is any connection.
    pub(super) fn is_up(&self) -> bool {
        !self.published.load().is_empty()
    }

    /// Has all connections checked.
    pub(super) fn check(&self) {
        self.wake.notify_one();
    }

    /// Drops all connections and connects anew: the name may lead to another server by now.
    pub(super) fn reconnect(&self) {
        self.is_elsewhere.store(true, Ordering::Relaxed);
        self.published.store(Arc::default());
        self.wake.notify_one();
    }
}

impl Keeper {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(CHECK_SPACING).await;
            tokio::select! {
                () = self.connections.wake.notified() => (),
                () = tokio::time::sleep(CHECK_INTERVAL) => (),
            }
            self.check().await;
        }
    }

    /// Checks each connection, replaces those that fail, and publishes what there is.
    async fn check(&mut self) {
        if self.connections.is_elsewhere.swap(false, Ordering::Relaxed) {
            for connection in self.slots.iter_mut().filter_map(Option::take) {
                // Out of the pool, which would find a replica's PING in order.
                drop(Connection::take(connection));
            }
        }
        let pool = &self.pool;
        let renewed = join_all(self.slots.iter_mut().map(|slot| async move {
            drop(slot.take());
            *slot = Some(pool.get().await?);
            Ok::<_, PoolError>(())
        }))
        .await;
        let clones = self.slots.iter().flatten().map(|it| (**it).clone());
        self.connections.published.store(Arc::new(clones.collect()));
        self.log(renewed.into_iter().find_map(Result::err));
    }

    fn log(&mut self, failure: Option<PoolError>) {
        let is_up = self.connections.is_up();
        if self.was_up.replace(is_up) == Some(is_up) {
            return;
        }
        match failure {
            Some(cause) if !is_up => tracing::warn!(
                error = &cause as &dyn std::error::Error,
                "Redis is not usable: serving from the ledger alone"
            ),
            Some(_) | None => tracing::info!("connected to Redis"),
        }
    }
}

fn pool(url: &Secret, settings: &Settings) -> Result<Pool, RedisError> {
    // Without TCP_NODELAY a small command waits for the answer to the one before it (Nagle), and
    // the driver leaves it off.
    let info = url
        .expose()
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(settings.timeout))
        .set_pipeline_buffer_size(QUEUE_MAX);
    let manager = Manager::new_with_config(info, config)?;
    Pool::builder(manager)
        .max_size(settings.connections.max(1))
        .runtime(Runtime::Tokio1)
        .create_timeout(Some(settings.connect_timeout))
        .recycle_timeout(Some(settings.timeout))
        .build()
        .map_err(|cause| RedisError::from(std::io::Error::other(cause)))
}
