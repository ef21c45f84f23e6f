//! Where servers come from: Docker or local processes.

use std::fmt;

use anyhow::{Context, bail};
use tokio::sync::OnceCell;

use super::{docker, environment};

/// Where a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A container, through testcontainers.
    Docker,
    /// A process on this machine, from installed binaries.
    Local,
}

impl Backend {
    /// The choice of `ONCELY_TEST_BACKEND`: `docker`, `local`, or `auto`, which is the default.
    ///
    /// `auto` takes local processes where both binaries are installed, because they start in a
    /// tenth of the time, and Docker elsewhere.
    pub async fn from_environment() -> anyhow::Result<Self> {
        static CHOICE: OnceCell<Backend> = OnceCell::const_new();
        CHOICE.get_or_try_init(choose).await.copied()
    }
}

async fn choose() -> anyhow::Result<Backend> {
    let wish = environment::read(environment::BACKEND);
    match wish.as_deref() {
        Some("docker") => Ok(Backend::Docker),
        Some("local") => Ok(Backend::Local),
        None | Some("auto") => automatic().await,
        Some(other) => bail!(
            "{} is {other:?}; it can be `docker`, `local` or `auto`",
            environment::BACKEND
        ),
    }
}

async fn automatic() -> anyhow::Result<Backend> {
    let Err(missing) = crate::servers::check_installed() else {
        return Ok(Backend::Local);
    };
    docker::is_usable()
        .await
        .context(missing)
        .context("neither local binaries nor a Docker engine can be used for tests")?;
    Ok(Backend::Docker)
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Local => "local",
        })
    }
}
