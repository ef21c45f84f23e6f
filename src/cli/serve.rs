//! `oncely serve`, and its parts as processes of their own: `oncely relay` and `oncely consume`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};

use super::output::{complain, say};
use super::runtime::{block_on, stop_signal};
use super::{ConsumeCommand, RelayCommand, ServeCommand, Settings};
use crate::app::{Server, open_store, start_messages};
use crate::config::{self, Config, Flag, Role};
use crate::failpoint::FailPoints;
use crate::inbox::Consumer;
use crate::payments;
use crate::shutdown::Tasks;
use crate::telemetry::{install_logs, install_metrics};

impl ServeCommand {
    /// Serves until SIGINT or SIGTERM, then drains.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let role = self.role.map(|it| roles("--role", it));
        start(settings, role, payments::consumers())
    }
}

impl RelayCommand {
    /// Relays until SIGINT or SIGTERM, then settles what is in flight and gives its shards back.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let role = roles("relay", Role::Relay.to_string());
        start(settings, Some(role), Vec::new())
    }
}

impl ConsumeCommand {
    /// Consumes until SIGINT or SIGTERM, then finishes what is in flight.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let all = payments::consumers();
        let names: Vec<&str> = all.iter().map(|it| it.name()).collect();
        if let Some(wrong) = self
            .consumers
            .iter()
            .find(|it| !names.contains(&it.as_str()))
        {
            let known = names.join(", ");
            complain(&format!(
                "error: there is no consumer {wrong}; there are {known}\n"
            ));
            return Ok(ExitCode::from(super::run::USAGE));
        }
        let is_asked = |it: &Arc<dyn Consumer>| {
            self.consumers.is_empty() || self.consumers.iter().any(|name| name == it.name())
        };
        let some = all.into_iter().filter(is_asked).collect();
        let role = roles("consume", Role::Consumer.to_string());
        start(settings, Some(role), some)
    }
}

fn roles(name: &str, value: String) -> Flag {
    Flag {
        name: name.to_owned(),
        key: "roles".to_owned(),
        value,
    }
}

fn start(
    settings: &Settings,
    role: Option<Flag>,
    consumers: Vec<Arc<dyn Consumer>>,
) -> Result<ExitCode> {
    let mut sources = settings.sources();
    sources.flags.extend(role);
    let config = config::load(sources)?.config;
    let missing = config.required_for_serve();
    if !missing.is_empty() {
        return Err(config::Error::Invalid(missing).into());
    }
    install_logs(&config.log)?;
    for warning in config.warnings() {
        complain(&format!("warning: {warning}\n"));
    }
    block_on(serve(config, consumers))
}

async fn serve(config: Config, consumers: Vec<Arc<dyn Consumer>>) -> Result<ExitCode> {
    let tasks = Tasks::default();
    let render = install_metrics(&tasks).context("install the metrics")?;
    // Caught before anybody is told that we serve: who hears it may stop us at once.
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let points = fail_points()?;
    let opening = async {
        let store = open_store(&config, &tasks, points.clone()).await?;
        start_messages(&config, &store, consumers, &points).await?;
        Ok::<_, anyhow::Error>(store)
    };
    let store = tokio::select! {
        opened = opening => opened?,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    let server = Server::bind(&config, store, render).await?;
    say(&greeting(&config, &server)?)?;
    if server.run(stop).await {
        Ok(ExitCode::SUCCESS)
    } else {
        complain("error: `http.drain_timeout` was not enough; work in flight was cut off\n");
        Ok(ExitCode::FAILURE)
    }
}

/// What this process does, and where.
fn greeting(config: &Config, server: &Server) -> Result<String> {
    let (api, admin) = server.addresses().context("read the bound addresses")?;
    let mut deeds = Vec::new();
    if let Some(api) = api {
        deeds.push(format!("serves http://{api}"));
    }
    for (role, deed) in [(Role::Relay, "relays"), (Role::Consumer, "consumes")] {
        if config.roles.contains(&role) {
            deeds.push(deed.to_owned());
        }
    }
    Ok(format!(
        "oncely {} (admin http://{admin})\n",
        deeds.join(", ")
    ))
}

/// The fail points that the environment asks for. A release has none, and says so.
pub(super) fn fail_points() -> Result<FailPoints> {
    let list = config::fail_points().unwrap_or_default();
    FailPoints::parse(&list).map_err(|wrong| anyhow!("ONCELY_FAILPOINTS: {wrong}"))
}
