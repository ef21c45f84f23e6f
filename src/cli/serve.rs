//! `oncely serve`: the API on a ledger and a Redis that are already there.

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};

use super::output::{complain, say};
use super::runtime::{block_on, stop_signal};
use super::{ServeCommand, Settings};
use crate::app::{Server, open_store};
use crate::config::{self, Config};
use crate::failpoint::FailPoints;
use crate::shutdown::Tasks;
use crate::telemetry::{install_logs, install_metrics};

impl ServeCommand {
    /// Serves until SIGINT or SIGTERM, then drains.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let config = settings.load()?.config;
        let missing = config.required_for_serve();
        if !missing.is_empty() {
            return Err(config::Error::Invalid(missing).into());
        }
        install_logs(&config.log)?;
        for warning in config.warnings() {
            complain(&format!("warning: {warning}\n"));
        }
        block_on(serve(config))
    }
}

async fn serve(config: Config) -> Result<ExitCode> {
    let tasks = Tasks::default();
    let render = install_metrics(&tasks).context("install the metrics")?;
    // Caught before anybody is told that we serve: who hears it may stop us at once.
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let store = tokio::select! {
        opened = open_store(&config, &tasks, fail_points()?) => opened?,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    let server = Server::bind(&config, store, render).await?;
    let (api, admin) = server.addresses().context("read the bound addresses")?;
    say(&format!(
        "oncely serves http://{api} (admin http://{admin})\n"
    ))?;
    if server.run(stop).await {
        Ok(ExitCode::SUCCESS)
    } else {
        complain("error: `http.drain_timeout` was not enough; work in flight was cut off\n");
        Ok(ExitCode::FAILURE)
    }
}

/// The fail points that the environment asks for. A release has none, and says so.
pub(super) fn fail_points() -> Result<FailPoints> {
    let list = config::fail_points().unwrap_or_default();
    FailPoints::parse(&list).map_err(|wrong| anyhow!("ONCELY_FAILPOINTS: {wrong}"))
}
