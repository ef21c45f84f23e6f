//! What the process says of itself: metrics, each named in one file, and logs.

pub mod books;
pub mod chores;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "cli")]
mod install;
pub mod messages;
pub mod metrics;
#[cfg(feature = "cli")]
pub mod process;
pub(crate) mod sweep;
pub mod tiers;

#[cfg(feature = "cli")]
pub use install::{LogsError, install_logs, install_metrics};
