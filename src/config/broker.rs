//! The `[broker]` section: where events go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Secret, duration, secret};

/// Where events go.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// The Redis whose streams carry the messages. No default: then it is `redis_url`.
    ///
    /// One Redis for both is fine to begin with. Two let you make this one durable
    /// (`appendfsync always`) while the hot path's stays quick.
    #[serde(default, serialize_with = "secret::as_url")]
    pub url: Option<Secret>,
    /// What every stream's key begins with. Default: `oncely:`.
    ///
    /// Too short or shared: two installations in one Redis read each other's messages.
    pub key_prefix: String,
    /// How much an acknowledged message has to be worth. Default: `auto`.
    ///
    /// `auto` takes what the broker offers, and the reconciler sees to the rest. `strict` refuses a
    /// broker that may lose acknowledged messages in a crash.
    pub durability: BrokerDurability,
    /// How long one command, and one batch, may take. Default: `2s`.
    ///
    /// Too low: a batch that is written comes again as duplicates. Too high: a hanging broker is
    /// noticed late.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long a new connection may take. Default: `1s`.
    ///
    /// Too low: a distant broker is never reached. Too high: the relay waits for one that is gone.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How many failures in a row open the relay's breaker. Default: `3`.
    ///
    /// Too low: a single hiccup pauses the relay. Too high: more batches in vain.
    pub breaker_failures: u32,
    /// How long an open breaker waits before one probe, spread by chance. Default: `1s`.
    ///
    /// Too low: a broker that comes back is disturbed. Too high: events wait for nothing.
    #[serde(with = "duration")]
    pub breaker_pause: Duration,
    /// How long messages stay in a stream after each consumer has confirmed them. Default: `10m`.
    ///
    /// Too low: nobody can look at what went by. Too high: they fill the broker's memory.
    #[serde(with = "duration")]
    pub keep: Duration,
}

/// How much an acknowledged message has to be worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerDurability {
    /// What the broker offers.
    Auto,
    /// On the broker's disk, or the process does not start.
    Strict,
}
