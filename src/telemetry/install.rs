//! Installs the recorder of metrics and the subscriber of logs, once per process.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::metrics;
use crate::config;
use crate::shutdown::Tasks;

/// How often old samples are folded away. Without it an unscraped process grows without bound.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder and returns what renders it in Prometheus' text format.
pub fn install_metrics(tasks: &Tasks) -> Result<Arc<dyn Fn() -> String + Send + Sync>, BuildError> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    metrics::describe();
    let upkeep = handle.clone();
    tasks.spawn_loop(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(Arc::new(move || handle.render()))
}

/// Why the logs can't be installed.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter is none.
    #[error("`log.filter` is no filter; try `info`, or `info,oncely=debug`")]
    Filter(#[from] ParseError),
    /// The process has a subscriber already.
    #[error("install the logs")]
    Install(#[from] TryInitError),
}

/// Writes logs to standard error, as text or as JSON, filtered as `log.filter` says.
pub fn install_logs(settings: &config::Log) -> Result<(), LogsError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let is_terminal = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false);
    match settings.format {
        config::LogFormat::Text => registry.with(layer.with_ansi(is_terminal)).try_init()?,
        config::LogFormat::Json => registry.with(layer.json()).try_init()?,
    }
    Ok(())
}
