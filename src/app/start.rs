//! From settings to a store that may be served from, or the reasons why not.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::config::{Config, Secret};
use crate::failpoint::FailPoints;
use crate::hot::{self, Hot};
use crate::ledger::{self, Ledger, Refusal};
use crate::payments;
use crate::shutdown::Tasks;
use crate::store::Store;

/// How long to wait before asking a database again that does not answer yet.
const PAUSE: Duration = Duration::from_millis(250);

/// Why a process does not start. Each message names the next step.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A URL is missing; the message of `config check` says which.
    #[error("`{0}` is not set")]
    Missing(&'static str),
    /// The database does not answer.
    #[error("the database at `database_url` can't be used")]
    Ledger(#[source] ledger::Error),
    /// The database answers, and must not be served from.
    #[error("the database can't keep the promise:{}", list(.0))]
    Refused(Vec<Refusal>),
    /// The payment path's tables are missing.
    #[error("the table public.charges is missing; run `oncely migrate`")]
    PaymentsBehind,
    /// The Redis URL is none.
    #[error("the Redis at `redis_url` can't be used")]
    Redis(#[source] hot::Error),
    /// Redis answers, and can't be the hot path.
    #[error("the Redis at `redis_url` can't be the hot path")]
    UnfitRedis(#[source] hot::Unfit),
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
    /// A header that must not be replayed was asked for.
    #[error("`idempotency.replay_headers` can't be used")]
    Headers(#[source] crate::domain::HeaderRefused),
}

/// Opens a store, checked: the ledger is fit to serve from, and Redis is fit or absent.
///
/// Waits for a database that is still starting, up to `ledger.startup_timeout`. A Redis that is
/// not there is no error: it may come later.
pub async fn open_store(
    config: &Config,
    allow_unsafe_durability: bool,
    tasks: &Tasks,
    points: FailPoints,
) -> Result<Store, StartError> {
    let database_url = config
        .database_url
        .as_ref()
        .ok_or(StartError::Missing("database_url"))?;
    let ledger = Ledger::new(database_url, &config.ledger, config.idempotency.retention)
        .map_err(StartError::Ledger)?;
    let refusals = wait_for(
        &ledger,
        config.ledger.startup_timeout,
        allow_unsafe_durability,
    )
    .await?;
    if !refusals.is_empty() {
        return Err(StartError::Refused(refusals));
    }
    let mut connection = ledger.begin().await.map_err(StartError::Ledger)?;
    let is_migrated = payments::is_migrated(&mut connection)
        .await
        .unwrap_or(false);
    drop(connection);
    if !is_migrated {
        return Err(StartError::PaymentsBehind);
    }
    let hot = open_hot(config.redis_url.as_ref(), &config.hot, tasks).await?;
    let (hot, ledger) = ((hot, config.hot.clone()), (ledger, config.ledger.clone()));
    Ok(Store::open(hot, ledger, tasks.clone(), points).await)
}

async fn wait_for(
    ledger: &Ledger,
    patience: Duration,
    allow_unsafe_durability: bool,
) -> Result<Vec<Refusal>, StartError> {
    let deadline = Instant::now() + patience;
    loop {
        match ledger.check(allow_unsafe_durability).await {
            Ok(refusals) => return Ok(refusals),
            Err(error) if error.class == ledger::Class::Transient && Instant::now() < deadline => {
                tracing::info!(
                    error = &error as &dyn std::error::Error,
                    "waiting for the database"
                );
                sleep(PAUSE).await;
            }
            Err(error) => return Err(StartError::Ledger(error)),
        }
    }
}

async fn open_hot(
    url: Option<&Secret>,
    settings: &crate::config::Hot,
    tasks: &Tasks,
) -> Result<Hot, StartError> {
    let url = url.ok_or(StartError::Missing("redis_url"))?;
    let hot = Hot::start(url, settings, tasks)
        .await
        .map_err(StartError::Redis)?;
    match hot.probe().await {
        Ok(hot::Probed::Sound) => (),
        Ok(hot::Probed::Degraded(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "Redis does not answer: serving from the ledger alone"
            );
        }
        Err(unfit) => return Err(StartError::UnfitRedis(unfit)),
    }
    Ok(hot)
}

fn list(refusals: &[Refusal]) -> String {
    refusals.iter().fold(String::new(), |mut text, it| {
        write!(text, "\n  - {it}").expect("invariant: a string takes what is written");
        text
    })
}
