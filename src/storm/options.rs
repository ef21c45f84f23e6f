//! What a storm is asked for.

use std::time::Duration;

use super::field::MayKill;
use crate::config::Secret;
use crate::domain::Tenant;

/// What a storm is asked for. One seed and one set of numbers make one plan.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) n_operations: u32,
    /// The most operations under way at once, their waits included.
    pub(crate) concurrency: usize,
    pub(crate) seed: u64,
    /// The time over which operations begin and faults happen.
    pub(crate) duration: Duration,
    /// How long the last answers, and then the last events, may take once the faults are over.
    pub(crate) patience: Duration,
    /// Whether there are no faults at all.
    pub(crate) is_calm: bool,
    /// What is attacked, where it is not a private stack.
    pub(crate) given: Option<Given>,
    #[cfg(feature = "sabotage")]
    pub(crate) sabotage: Option<super::Sabotage>,
}

/// A stack that somebody else runs.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// The API.
    pub(crate) url: String,
    /// Its database, to be looked into.
    pub(crate) database_url: Secret,
    pub(crate) tenant: Tenant,
    pub(crate) token: String,
    /// Where metrics are scraped.
    pub(crate) admin_urls: Vec<String>,
    pub(crate) may_kill: Vec<MayKill>,
    /// A Redis that may be flushed.
    pub(crate) flush: Option<Secret>,
}
