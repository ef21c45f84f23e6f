//! A Redis for tests, from whichever source.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};

use super::docker::{Container, Recipe};
use super::ready::until_it_answers;
use super::source::Source;
use super::{Backend, environment};
use crate::proxy::address;
use crate::servers::redis::Options;

/// A running Redis. Dropping one that was started here stops and removes it.
#[derive(Debug)]
pub struct Redis {
    url: String,
    source: Source,
}

impl Redis {
    /// Starts a private server where `ONCELY_TEST_BACKEND` says. It keeps nothing on disk unless
    /// `options` say otherwise.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        Self::start_on(Backend::from_environment().await?, options).await
    }

    /// Starts a private server on a certain backend.
    pub async fn start_on(backend: Backend, options: Options) -> anyhow::Result<Self> {
        match backend {
            Backend::Local => {
                let server = tokio::task::spawn_blocking(move || options.start()).await??;
                Ok(Self {
                    url: server.url(),
                    source: Source::Local(Arc::new(server)),
                })
            }
            Backend::Docker => {
                let fixed = "redis-server --bind 0.0.0.0 --protected-mode no --save";
                let mut command: Vec<_> = fixed.split(' ').map(str::to_owned).collect();
                command.push(String::new());
                command.extend(options.arguments);
                let container = Container::start(Recipe {
                    image: environment::image(environment::REDIS_IMAGE, "redis:7")?,
                    port: 6379,
                    command,
                    environment: Vec::new(),
                })
                .await?;
                let redis = Self {
                    url: format!("redis://{}:{}/", container.host, container.port),
                    source: Source::Docker(Box::new(container)),
                };
                redis.ready().await?;
                Ok(redis)
            }
        }
    }

    /// Takes an existing server. It is never stopped, and [`Redis::kill`] and the like fail.
    pub fn given(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            source: Source::Given,
        }
    }

    /// The URL with which clients connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`, the same for the server's whole life.
    pub fn address(&self) -> anyhow::Result<String> {
        address::of(&self.url)
    }

    /// Where it came from, in words.
    pub fn origin(&self) -> &'static str {
        self.source.name()
    }

    /// SIGKILL to the server and its children.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.source.kill().await.context("killing Redis")
    }

    /// Freezes the server: connections open and nothing answers.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.source.pause().await.context("pausing Redis")
    }

    /// Lets a paused server go on.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.source.resume().await.context("resuming Redis")
    }

    /// Starts the server again on the same port, and waits until it answers. What it had in memory
    /// only is gone.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.source.restart().await.context("restarting Redis")?;
        self.ready().await
    }

    /// A power cut in which the last `n_bytes` of the append-only file had not reached the disk:
    /// SIGKILL, the file is cut short, and the server starts again. Clients were told that what is
    /// gone was done. Only for a local server with `appendonly yes`; fails where nothing was cut.
    pub async fn lose_power(&self, n_bytes: u64) -> anyhow::Result<()> {
        let Some(directory) = self.source.directory() else {
            bail!("only the files of a local server can be cut short; use Backend::Local");
        };
        self.kill().await?;
        let folder = directory.join("appendonlydir");
        tokio::task::spawn_blocking(move || cut_short(&folder, n_bytes)).await??;
        self.restart().await
    }

    /// Forgets all keys of all databases. Not for a shared server: other tests are on it.
    pub async fn flush(&self) -> anyhow::Result<()> {
        ask(&self.url, "FLUSHALL").await.context("flushing Redis")
    }

    /// Waits until the server answers a ping.
    pub async fn ready(&self) -> anyhow::Result<()> {
        until_it_answers(|| ask(&self.url, "PING"))
            .await
            .context("Redis does not answer")
    }
}

/// Cuts the newest increment of an append-only file.
fn cut_short(folder: &Path, n_bytes: u64) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).context("there is no append-only file")? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".incr.aof") {
            files.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    let (_, path) = files.into_iter().max().context("no increment to cut")?;
    let file = fs::OpenOptions::new().write(true).open(&path)?;
    let length = file.metadata()?.len();
    ensure!(0 < length && 0 < n_bytes, "there is nothing to cut");
    file.set_len(length.saturating_sub(n_bytes))?;
    Ok(())
}

async fn ask(url: &str, command: &str) -> redis::RedisResult<()> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd(command).query_async(&mut connection).await
}
