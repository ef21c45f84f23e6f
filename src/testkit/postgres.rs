//! A Postgres for tests, from whichever source.

use std::sync::Arc;

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};

use super::docker::{Container, Recipe};
use super::ready::until_it_answers;
use super::source::Source;
use super::{Backend, environment};
use crate::proxy::address;
use crate::servers::postgres::Options;

/// A running Postgres. Dropping one that was started here stops and removes it.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    source: Source,
}

impl Postgres {
    /// Starts a private server where `ONCELY_TEST_BACKEND` says. It is durable unless `options`
    /// say otherwise.
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
                ensure!(
                    options.standby_of.is_none(),
                    "a standby is a local process only: install postgresql"
                );
                let mut command = vec!["postgres".to_owned()];
                command.extend(options.arguments());
                let container = Container::start(Recipe {
                    image: environment::image(environment::POSTGRES_IMAGE, "postgres:15")?,
                    port: 5432,
                    command,
                    environment: vec![("POSTGRES_PASSWORD", "oncely".to_owned())],
                })
                .await?;
                let address = format!("{}:{}", container.host, container.port);
                let postgres = Self {
                    url: format!("postgres://postgres:oncely@{address}/postgres"),
                    source: Source::Docker(Box::new(container)),
                };
                postgres.ready().await?;
                Ok(postgres)
            }
        }
    }

    /// Takes an existing server. It is never stopped, and [`Postgres::kill`] and the like fail.
    pub fn given(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            source: Source::Given,
        }
    }

    /// The URL of the maintenance database; see [`Database`](super::Database) for one per test.
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
        self.source.kill().await.context("killing Postgres")
    }

    /// Freezes the server: connections open and nothing answers.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.source.pause().await.context("pausing Postgres")
    }

    /// Lets a paused server go on.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.source.resume().await.context("resuming Postgres")
    }

    /// Starts the server again on the same port with the same data, and waits until it answers.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.source.restart().await.context("restarting Postgres")?;
        self.ready().await
    }

    /// Waits until the server answers a query.
    pub async fn ready(&self) -> anyhow::Result<()> {
        until_it_answers(|| ask(&self.url))
            .await
            .context("Postgres does not answer")
    }
}

async fn ask(url: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("SELECT 1").execute(&mut connection).await?;
    connection.close().await
}
