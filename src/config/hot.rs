//! The `[hot]` section: Redis, the hot path.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// Redis, the hot path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hot {
    /// What every key in Redis begins with. Default: `oncely:`.
    ///
    /// Too short or shared: two installations in one Redis see each other's values and ignore
    /// them, so neither is any faster. Too long: it is sent and stored with every key.
    pub key_prefix: String,
    /// How long one question to Redis may take before the request goes on without it.
    /// Default: `50ms`.
    ///
    /// Too low: a small hiccup sends the whole load to the ledger. Too high: a hanging Redis slows
    /// every request by this much until the breaker opens.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long a new connection may take. Default: `500ms`.
    ///
    /// Too low: a distant Redis is never reached. Too high: after a failover the hot path stays
    /// away longer than it needs to.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How many connections all requests share. Default: `2`.
    ///
    /// Too low: one connection is one queue, and a large answer delays the small ones behind it.
    /// Too high: more sockets and no more speed, since each carries many requests at once.
    pub connections: usize,
    /// How long Redis keeps an answer. Default: `1h`.
    ///
    /// Too low: retries ask the ledger more often. Too high: Redis holds answers that nobody asks
    /// for.
    #[serde(with = "duration")]
    pub retention: Duration,
    /// The largest answer that Redis keeps, in bytes. Default: `16384`.
    ///
    /// Too low: retries of larger answers ask the ledger; 0 keeps every answer out of Redis. Too
    /// high: a few large answers push many small ones out of its memory.
    pub answer_limit_bytes: usize,
    /// How long the mark of a running operation lives, should its process die. Default: `15s`.
    ///
    /// Too low: it vanishes while the operation runs, and a retry costs the ledger a question. Too
    /// high: after a crash retries are sent to the ledger for longer.
    #[serde(with = "duration")]
    pub latch_ttl: Duration,
    /// How long the mark alone is believed; an older one is a hint, and the ledger is asked.
    /// Default: `250ms`.
    ///
    /// Too low: a burst of duplicates reaches the ledger. Too high: after a crash a retry is told
    /// "in flight" although nothing runs any more.
    #[serde(with = "duration")]
    pub trust_window: Duration,
    /// How many failures in a row open the breaker. Default: `5`.
    ///
    /// Too low: a single hiccup switches the hot path off. Too high: many requests wait for a
    /// Redis that is gone.
    pub breaker_failures: u32,
    /// How long an open breaker leaves Redis alone. Default: `1s`.
    ///
    /// Too low: a sick Redis is asked all the time. Too high: a healthy one stays unused.
    #[serde(with = "duration")]
    pub breaker_pause: Duration,
    /// Whether answers from Redis are replayed while Postgres can't be reached.
    /// Default: `false`.
    ///
    /// Off: retries of finished operations get 503 during the outage. On: after a failover that
    /// lost commits, a replay may answer for something that is no longer there.
    pub replay_when_ledger_down: bool,
}
