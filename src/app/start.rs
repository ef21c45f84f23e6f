//! From settings to a store of the payment path, or the reasons why not.

use crate::config::Config;
use crate::failpoint::FailPoints;
use crate::payments;
use crate::shutdown::Tasks;
use crate::store::{ConnectError, Store};

/// Why a process does not start. Each message names the next step.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no store.
    #[error(transparent)]
    Store(#[from] ConnectError),
    /// The payment path's tables are missing.
    #[error("a table of the payment path is missing; run `oncely migrate`")]
    PaymentsBehind,
    /// The database did not say whether they are there.
    #[error("look for the tables of the payment path")]
    Look(#[source] sqlx::Error),
    /// The system does not give the address.
    #[error("can't listen on {address}; set `{setting}` to a free address")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The setting.
        setting: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There can be no client for somebody whom the payment path calls.
    #[error(transparent)]
    Client(#[from] payments::ClientError),
    /// There is no Redis for events to go through.
    #[error("`broker.url` is not set, and neither is `redis_url`, which would do")]
    NoBroker,
    /// The broker can't be used.
    #[error(
        "events can't go through the Redis at `broker.url`, or at `redis_url` where that is unset"
    )]
    Broker(#[source] crate::broker::Error),
    /// The broker is not what the settings ask for.
    #[error(transparent)]
    UnfitBroker(crate::broker::Unfit),
    /// The broker does not say whether it is what the settings ask for.
    #[error("`broker.durability` is strict, and the broker does not answer; start it, or set auto")]
    SilentBroker,
    /// A header that must not be replayed was asked for.
    #[error("`idempotency.replay_headers` can't be used")]
    Headers(#[source] crate::domain::HeaderRefused),
}

/// Connects a store, and makes sure that the payment path's own tables are there.
pub async fn open_store(
    config: &Config,
    tasks: &Tasks,
    points: FailPoints,
) -> Result<Store, StartError> {
    let store = Store::connect_on(config, tasks, points).await?;
    let mut reader = store
        .ledger()
        .reader()
        .await
        .map_err(ConnectError::Ledger)?;
    let is_migrated = payments::is_migrated(&mut reader).await;
    reader.finish();
    if is_migrated.map_err(StartError::Look)? {
        Ok(store)
    } else {
        Err(StartError::PaymentsBehind)
    }
}
