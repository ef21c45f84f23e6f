//! The `[http]` section: the API's limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// The API's limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The largest request body, in bytes. Default: `1048576`.
    ///
    /// Too low: honest requests get 413. Too high: one client can fill the memory, because the
    /// body is held while its fingerprint is taken.
    pub body_limit_bytes: usize,
    /// How long one request may take, waiting included. Default: `15s`.
    ///
    /// Too low: slow but healthy requests get 503 and come again. Too high: a stuck client holds
    /// its place, and `drain_timeout` and `ledger.prune_grace` have to grow with it.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
    /// How long a stopping process waits for the requests it has begun. Default: `20s`.
    ///
    /// Too low: a deploy cuts requests, and their callers must retry. Too high: a deploy waits,
    /// and an orchestrator with a shorter patience kills the process anyway.
    #[serde(with = "duration")]
    pub drain_timeout: Duration,
}
