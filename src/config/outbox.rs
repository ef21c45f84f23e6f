//! The `[outbox]` section: the relay, which publishes what was enqueued.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// The relay, which publishes what was enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// How many connections to Postgres the relay opens. Default: `4`.
    ///
    /// Too low: its chores wait for its batches. Too high: connections that requests could use.
    pub pool_size: u32,
    /// How many events are published in one batch. Default: `200`.
    ///
    /// Too low: each event pays for a round trip. Too high: a crash repeats more of them.
    pub batch: u32,
    /// How long a relay owns its shards without a sign of life. Default: `10s`.
    ///
    /// Too low: a short pause hands its shards over, and what was in flight is published twice. Too
    /// high: after a crash its shards wait for that long.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// How soon a busy relay looks again. Default: `5ms`.
    ///
    /// Too low: needless questions. Too high: batches wait for each other.
    #[serde(with = "duration")]
    pub poll_min: Duration,
    /// How long an idle relay waits that nobody wakes. Default: `200ms`.
    ///
    /// Too low: needless questions. Too high: events of other processes wait where a wake-up is lost.
    #[serde(with = "duration")]
    pub poll_max: Duration,
    /// How often a shard is read from its beginning, for events that committed late.
    /// Default: `3s`.
    ///
    /// Too low: it reads over dead rows. Too high: such an event waits that long.
    #[serde(with = "duration")]
    pub full_scan_interval: Duration,
    /// How many events a second are published at most, by all relays together. Default: `5000`.
    ///
    /// Too low: a backlog never drains. Too high: after an outage the consumers are flooded.
    pub rate_max: u32,
    /// How often the broker may refuse one event before it is a dead letter. An outage counts
    /// nothing. Default: `8`.
    ///
    /// Too low: a topic that is being repaired loses events to the dead letters. Too high: a bad
    /// event is tried for hours.
    pub attempts_max: u32,
    /// How old a slice of time must be before its events are looked for in the inbox.
    /// Default: `1m`.
    ///
    /// Too low: what consumers are working on is published again, and absorbed. Too high: what the
    /// broker lost without a word is found late. It must be longer than any operation takes.
    #[serde(with = "duration")]
    pub reconcile_after: Duration,
    /// How often the outbox is compared with the inbox. Default: `10s`.
    ///
    /// Too low: needless work. Too high: losses are found late.
    #[serde(with = "duration")]
    pub reconcile_interval: Duration,
    /// How often the broker is asked whether it is still the same. Default: `1s`.
    ///
    /// Too low: needless questions. Too high: a loss is noticed late.
    #[serde(with = "duration")]
    pub epoch_interval: Duration,
    /// How long confirmed events stay in the log. Default: `72h`.
    ///
    /// Too low: nobody can look at what went by. Too high: the log grows. An unconfirmed event stays
    /// whatever its age.
    #[serde(with = "duration")]
    pub retention: Duration,
    /// How much time one partition of the log holds. Default: `1h`.
    ///
    /// Too low: many partitions, and each statement has to choose. Too high: cleaning up comes in
    /// large lumps.
    #[serde(with = "duration")]
    pub partition_span: Duration,
}
