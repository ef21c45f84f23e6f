//! The one Redis and one Postgres that all tests of a run share.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::sync::OnceCell;

use super::environment::{DATABASE_URL, REDIS_URL, read};
use super::{Backend, Postgres, Redis};
use crate::servers;
use crate::servers::postgres::Durability;

/// One Redis and one Postgres. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The Postgres.
    pub postgres: Arc<Postgres>,
    /// The Redis.
    pub redis: Arc<Redis>,
}

impl Pair {
    /// The pair that this process shares: the one that the environment names, else one of its own,
    /// which is started on first use and ends with the process.
    ///
    /// Its Postgres does not sync to disk. Tests that kill or pause a server start their own.
    pub async fn shared() -> anyhow::Result<Self> {
        static PAIR: OnceCell<Pair> = OnceCell::const_new();
        PAIR.get_or_try_init(Self::start).await.cloned()
    }

    /// Takes each server from its URL in the environment, and starts what the environment lacks.
    pub async fn start() -> anyhow::Result<Self> {
        let (postgres, redis) = tokio::try_join!(postgres(), redis()).with_context(|| {
            format!(
                "tests need a Redis and a Postgres: run `make test`, or set {DATABASE_URL} and \
                 {REDIS_URL}"
            )
        })?;
        say(&format!(
            "Postgres from {}, Redis from {}",
            postgres.origin(),
            redis.origin()
        ))?;
        Ok(Self {
            postgres: Arc::new(postgres),
            redis: Arc::new(redis),
        })
    }
}

async fn postgres() -> anyhow::Result<Postgres> {
    if let Some(url) = read(DATABASE_URL) {
        return Ok(Postgres::given(check(DATABASE_URL, url, "postgres")?));
    }
    // All tests of a run are on it, each with pools of its own, and a machine with many cores runs
    // many at once: one that is refused a connection fails for no fault of its own.
    let mut options = servers::postgres::Options::with([("max_connections", "500")]);
    options.durability = Durability::Off;
    Postgres::start_on(Backend::from_environment().await?, options).await
}

async fn redis() -> anyhow::Result<Redis> {
    if let Some(url) = read(REDIS_URL) {
        return Ok(Redis::given(check(REDIS_URL, url, "redis")?));
    }
    let options = servers::redis::Options::default();
    Redis::start_on(Backend::from_environment().await?, options).await
}

fn check(variable: &str, url: String, scheme: &str) -> anyhow::Result<String> {
    if url.starts_with(scheme) {
        return Ok(url);
    }
    bail!("{variable} is not a {scheme}:// URL")
}

/// Speaks past the capture of test output, once a process.
fn say(words: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "testkit: {words}").context("writing to standard error")
}
