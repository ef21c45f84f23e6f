//! The numbers of the hot path.

use std::time::Duration;

/// How the hot path uses Redis.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What each key begins with, so that several stores can share one Redis.
    pub key_prefix: String,
    /// How long one step may take, all its round trips together.
    pub timeout: Duration,
    /// How long connecting may take. No request waits for it.
    pub connect_timeout: Duration,
    /// How many multiplexed connections there are.
    pub connections: usize,
    /// How long an answer stays after its operation was done, at most.
    pub retention: Duration,
    /// The longest body that is kept.
    pub answer_limit_bytes: usize,
    /// How long a latch stays that nobody takes away.
    pub latch_ttl: Duration,
    /// How many failures in a row open the breaker.
    pub breaker_failures: u32,
    /// How long the breaker stays open before it asks again.
    pub breaker_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key_prefix: "oncely:".to_owned(),
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_millis(500),
            connections: 2,
            retention: Duration::from_hours(1),
            answer_limit_bytes: 16 * 1024,
            latch_ttl: Duration::from_secs(15),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(1),
        }
    }
}
