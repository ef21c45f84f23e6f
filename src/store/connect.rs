//! From settings to a store that may be served from, or the reasons why not.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Store;
use crate::config::{Config, Secret};
use crate::failpoint::FailPoints;
use crate::hot::{self, Hot};
use crate::ledger::{self, Ledger, Refusal};
use crate::shutdown::Tasks;

/// How long to wait before asking a database again that does not answer yet.
const PAUSE: Duration = Duration::from_millis(250);

/// Why there is no store. Each message names the next step.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A URL is missing; the message of `config check` says which.
    #[error("`{0}` is not set")]
    Missing(&'static str),
    /// The database does not answer.
    #[error("the database at `database_url` can't be used")]
    Ledger(#[source] ledger::Error),
    /// The database answers, and must not be served from.
    #[error("the database can't keep the promise:{}", list(.0))]
    Refused(Vec<Refusal>),
    /// The Redis URL is none.
    #[error("the Redis at `redis_url` can't be used")]
    Redis(#[source] hot::Error),
    /// Redis answers, and can't be the hot path.
    #[error("the Redis at `redis_url` can't be the hot path")]
    UnfitRedis(#[source] hot::Unfit),
}

impl Store {
    /// Connects to both tiers and checks them: the ledger is fit to serve from, and Redis is fit
    /// or absent.
    ///
    /// Waits for a database that is still starting, up to `ledger.startup_timeout`. A Redis that
    /// is not there is no error: it may come later. The schema must be current:
    /// [`ledger::migrate()`] brings it there.
    ///
    /// Before your process ends, drain [`Store::tasks`].
    pub async fn connect(config: &Config) -> Result<Self, ConnectError> {
        Self::connect_on(config, &Tasks::default(), FailPoints::default()).await
    }

    /// As [`Store::connect`], with background loops on `tasks`, and with fail points.
    pub async fn connect_on(
        config: &Config,
        tasks: &Tasks,
        points: FailPoints,
    ) -> Result<Self, ConnectError> {
        let url = required(config.database_url.as_ref(), "database_url")?;
        let ledger = Ledger::new(url, &config.ledger, config.idempotency.retention)
            .map_err(ConnectError::Ledger)?;
        let refusals = check(&ledger, &config.ledger).await?;
        if !refusals.is_empty() {
            return Err(ConnectError::Refused(refusals));
        }
        let url = required(config.redis_url.as_ref(), "redis_url")?;
        let hot = Hot::start(url, &config.hot, tasks)
            .await
            .map_err(ConnectError::Redis)?;
        probe(&hot).await?;
        let (hot, ledger) = ((hot, config.hot.clone()), (ledger, config.ledger.clone()));
        Ok(Self::open(hot, ledger, tasks.clone(), points).await)
    }
}

fn required<'a>(
    url: Option<&'a Secret>,
    setting: &'static str,
) -> Result<&'a Secret, ConnectError> {
    url.ok_or(ConnectError::Missing(setting))
}

/// Asks until the database answers, or until `startup_timeout` has passed.
async fn check(
    ledger: &Ledger,
    settings: &crate::config::Ledger,
) -> Result<Vec<Refusal>, ConnectError> {
    let deadline = Instant::now() + settings.startup_timeout;
    loop {
        match ledger.check(settings.allow_unsafe_durability).await {
            Ok(refusals) => return Ok(refusals),
            Err(error) if error.class == ledger::Class::Transient && Instant::now() < deadline => {
                tracing::info!(
                    error = &error as &dyn std::error::Error,
                    "waiting for the database"
                );
                sleep(PAUSE).await;
            }
            Err(error) => return Err(ConnectError::Ledger(error)),
        }
    }
}

async fn probe(hot: &Hot) -> Result<(), ConnectError> {
    match hot.probe().await {
        Ok(hot::Probed::Sound) => Ok(()),
        Ok(hot::Probed::Degraded(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "Redis does not answer: serving from the ledger alone"
            );
            Ok(())
        }
        Err(unfit) => Err(ConnectError::UnfitRedis(unfit)),
    }
}

fn list(refusals: &[Refusal]) -> String {
    refusals.iter().fold(String::new(), |mut text, it| {
        write!(text, "\n  - {it}").expect("invariant: a string takes what is written");
        text
    })
}
