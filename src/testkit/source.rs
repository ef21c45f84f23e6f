//! One set of operations over the three places a server may come from.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;

use super::docker::Container;
use crate::servers::{Error, Server};

/// Where a server came from, and with it what can be done to it.
#[derive(Debug)]
pub(super) enum Source {
    /// An explicit URL. It is not ours, so it is neither killed nor stopped.
    Given,
    Docker(Box<Container>),
    Local(Arc<Server>),
}

impl Source {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Given => "explicit URL",
            Self::Docker(_) => "docker",
            Self::Local(_) => "local",
        }
    }

    /// Where its files are; `None` where they are not ours to touch.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        match self {
            Self::Given | Self::Docker(_) => None,
            Self::Local(server) => Some(server.directory().to_owned()),
        }
    }

    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        match self {
            Self::Given => not_ours(),
            Self::Docker(container) => container.kill().await,
            Self::Local(server) => blocking(server, Server::kill).await,
        }
    }

    pub(super) async fn pause(&self) -> anyhow::Result<()> {
        match self {
            Self::Given => not_ours(),
            Self::Docker(container) => container.pause().await,
            Self::Local(server) => blocking(server, Server::pause).await,
        }
    }

    pub(super) async fn resume(&self) -> anyhow::Result<()> {
        match self {
            Self::Given => not_ours(),
            Self::Docker(container) => container.resume().await,
            Self::Local(server) => blocking(server, Server::resume).await,
        }
    }

    /// The caller waits until the server is ready: Docker does not know when that is.
    pub(super) async fn restart(&self) -> anyhow::Result<()> {
        match self {
            Self::Given => not_ours(),
            Self::Docker(container) => container.restart().await,
            Self::Local(server) => blocking(server, Server::restart).await,
        }
    }
}

fn not_ours() -> anyhow::Result<()> {
    bail!("this server came as an explicit URL; a test that hurts a server starts one of its own")
}

async fn blocking(
    server: &Arc<Server>,
    order: impl FnOnce(&Server) -> Result<(), Error> + Send + 'static,
) -> anyhow::Result<()> {
    let server = Arc::clone(server);
    Ok(tokio::task::spawn_blocking(move || order(&server)).await??)
}
