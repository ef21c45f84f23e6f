//! What the process says of itself: metrics, each named in one file, and logs.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "cli")]
mod install;
pub mod messages;
pub mod metrics;
pub(crate) mod sweep;

#[cfg(feature = "cli")]
pub use install::{LogsError, install_logs, install_metrics};
