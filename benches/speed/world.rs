//! The servers of a run, and the processes that are measured: all private, all gone afterwards.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use oncely::servers::{Server, free_port, postgres, redis};
use oncely::{ledger, payments};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::bare;
use super::options::Options;
use super::requests::TOKEN;

/// How long a process may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a process may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the private Postgres has beyond its defaults. Every contender has the same; commits are kept
/// (`fsync`, `synchronous_commit`, `full_page_writes` on), and checkpoints are rare.
pub(crate) const POSTGRES: [(&str, &str); 4] = [
    ("max_connections", "300"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
];

/// The servers of a run.
pub(crate) struct World {
    pub(crate) postgres: Server,
    pub(crate) redis: Server,
    pub(crate) database_url: String,
    scripts: tempfile::TempDir,
}

/// A process that listens. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl World {
    pub(crate) async fn start(_options: &Options) -> Result<Self> {
        let postgres = tokio::task::spawn_blocking(|| postgres::Options::with(POSTGRES).start());
        let redis = tokio::task::spawn_blocking(|| redis::Options::default().start());
        let (postgres, redis) = (postgres.await??, redis.await??);
        let world = Self {
            database_url: database_url(&postgres, "charges"),
            postgres,
            redis,
            scripts: tempfile::tempdir().context("make a directory for scripts")?,
        };
        world.create("charges").await?;
        Ok(world)
    }

    /// Creates a database with all tables, and returns its URL.
    pub(crate) async fn create(&self, name: &str) -> Result<String> {
        execute(&self.postgres.url(), &format!("CREATE DATABASE {name}")).await?;
        let url = database_url(&self.postgres, name);
        let mut connection = PgConnection::connect(&url).await?;
        ledger::migrate(&mut connection).await?;
        payments::migrate(&mut connection).await?;
        connection.close().await?;
        Ok(url)
    }

    /// Starts `oncely serve` on a database, with more settings.
    pub(crate) async fn serve(
        &self,
        database_url: &str,
        roles: &str,
        settings: &[(&str, &str)],
    ) -> Result<Process> {
        let (api, admin) = (free_port()?, free_port()?);
        let mut command = without_settings(env!("CARGO_BIN_EXE_oncely").as_ref());
        command
            .args(["serve", "--role", roles])
            .env("ONCELY_DATABASE_URL", database_url)
            .env("ONCELY_REDIS_URL", self.redis.url())
            .env("ONCELY_HTTP_ADDR", format!("127.0.0.1:{api}"))
            .env("ONCELY_ADMIN_ADDR", format!("127.0.0.1:{admin}"))
            .env("ONCELY_AUTH_TOKENS", format!("demo:{TOKEN}"))
            .env(
                "ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET",
                "a secret of the benchmark's own",
            )
            .env("ONCELY_LEDGER__POOL_SIZE", "32")
            .env("ONCELY_LOG__FILTER", "warn")
            .envs(settings.iter().copied())
            .current_dir(self.scripts.path());
        let port = if roles.contains("api") { api } else { admin };
        Process::start(command, port).await
    }

    /// Starts the child that serves what Oncely is compared with.
    pub(crate) async fn serve_bare(&self) -> Result<Process> {
        let port = free_port()?;
        let this = std::env::current_exe().context("find this program")?;
        let mut command = without_settings(&this);
        let arguments = [bare::CHILD, &self.database_url, &self.redis.url()];
        command.args(arguments).arg(port.to_string());
        Process::start(command, port).await
    }

    /// Writes a script for pgbench.
    pub(crate) fn script(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.scripts.path().join(name);
        std::fs::write(&path, text).context("write a script")?;
        Ok(path)
    }

    /// Runs a statement on the database of the charges.
    pub(crate) async fn execute(&self, statement: &str) -> Result<()> {
        execute(&self.database_url, statement).await
    }

    /// Begins a measurement with a clean slate: dirty pages are written, so that nobody pays for
    /// another one's.
    pub(crate) async fn settle(&self) -> Result<()> {
        execute(&self.postgres.url(), "CHECKPOINT").await
    }

    /// The version of a server's program.
    pub(crate) fn version_of(program: &Path, argument: &str) -> String {
        let said = std::process::Command::new(program).arg(argument).output();
        let said = said.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
        said.unwrap_or_else(|_| "unknown".to_owned())
    }
}

impl Process {
    async fn start(mut command: Command, port: u16) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start a process")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut process = Self { child, address };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("a process ended before it listened: {status}");
            }
            if deadline < Instant::now() {
                bail!("a process did not listen on {address} in time");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(process)
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it and waits until it is gone.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.start_kill()?;
        tokio::time::timeout(FAREWELL, self.child.wait())
            .await
            .context("a process did not end")??;
        Ok(())
    }
}

/// A command that no setting of whoever started us reaches.
fn without_settings(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ONCELY_") {
            command.env_remove(name);
        }
    }
    command
}

fn database_url(postgres: &Server, name: &str) -> String {
    format!("postgres://postgres@{}/{name}", postgres.address())
}

/// Runs statements that have no parameters.
pub(crate) async fn execute(url: &str, statement: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await
        .with_context(|| format!("run {statement}"))?;
    connection.close().await?;
    Ok(())
}

/// One number.
pub(crate) async fn number_from(url: &str, statement: &str) -> Result<f64> {
    let mut connection = PgConnection::connect(url).await?;
    let number: f64 = sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
        .fetch_one(&mut connection)
        .await
        .with_context(|| format!("run {statement}"))?;
    connection.close().await?;
    Ok(number)
}
