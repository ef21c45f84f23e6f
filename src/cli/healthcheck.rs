//! `oncely healthcheck`: asks a running process whether it is ready, for containers without curl.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::output::{complain, say};
use super::runtime::block_on;
use super::{HealthcheckCommand, Settings};

/// A process that takes longer is not healthy.
const PATIENCE: Duration = Duration::from_secs(3);

const REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

impl HealthcheckCommand {
    /// 0 where `/readyz` on `admin_addr` says 200, 1 otherwise.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let address = settings.load()?.config.admin_addr;
        block_on(async move {
            let answer = tokio::time::timeout(PATIENCE, ask(address))
                .await
                .with_context(|| format!("no answer from {address} in time"))?
                .with_context(|| format!("ask {address}"))?;
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            if answer.starts_with("HTTP/1.1 200") {
                say(&format!("{body}\n"))?;
                return Ok(ExitCode::SUCCESS);
            }
            complain(&format!("not ready: {body}\n"));
            Ok(ExitCode::FAILURE)
        })
    }
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
