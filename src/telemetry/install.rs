//! Installs the recorder of metrics and the subscriber of logs, once per process.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::{metrics, process, tiers};
use crate::config;
use crate::shutdown::Tasks;

/// How often old samples are folded away. Without it an unscraped process grows without bound.
const UPKEEP: Duration = Duration::from_secs(5);

/// The upper bounds of each histogram, in seconds. Without buckets of its own a histogram would be
/// exported as a summary, and summaries of several processes can't be added up.
const BUCKETS: &[(&str, &[f64])] = &[
    (metrics::REQUEST_SECONDS, &REQUEST),
    (tiers::HOT_SECONDS, &HOT),
    (tiers::LEDGER_SECONDS, &LEDGER),
    #[cfg(feature = "client")]
    (super::client::HINT, &HINT),
];

/// A replay takes a millisecond, and a request is given up after ten seconds or so.
const REQUEST: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
/// Redis answers in a fraction of a millisecond, or is given up after a few.
const HOT: [f64; 12] = [
    0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5,
];
/// A statement takes a fraction of a millisecond, a COMMIT what the disk takes.
const LEDGER: [f64; 14] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];
/// Servers ask for seconds, or for minutes.
#[cfg(feature = "client")]
const HINT: [f64; 7] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// Installs the recorder and returns what renders it in Prometheus' text format.
pub fn install_metrics(tasks: &Tasks) -> Result<Arc<dyn Fn() -> String + Send + Sync>, BuildError> {
    let handle = BUCKETS
        .iter()
        .try_fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
            let name = Matcher::Full((*name).to_owned());
            builder.set_buckets_for_metric(name, buckets)
        })?
        .install_recorder()?;
    metrics::describe();
    let upkeep = handle.clone();
    tasks.spawn_loop(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(Arc::new(move || {
        process::collect();
        handle.render()
    }))
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
