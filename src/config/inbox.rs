//! The `[inbox]` section: the consumers, which act on events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// The consumers, which act on events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// How many connections to Postgres all consumers of this process open. Default: `8`.
    ///
    /// Too low: consumers wait for each other. Too high: connections that requests could use.
    pub pool_size: u32,
    /// How many messages are applied in one transaction. Default: `100`.
    ///
    /// Too low: each message pays for a commit. Too high: one that fails makes more run again.
    pub batch: u32,
    /// How often a message is tried before it is a dead letter. Default: `8`.
    ///
    /// Too low: a short trouble fills the dead letters. Too high: a bad message is tried for long.
    pub attempts_max: u32,
    /// How long a consumer may take for one message. Default: `5s`.
    ///
    /// Too low: slow but healthy work counts as failed. Too high: one that hangs stops the others.
    #[serde(with = "duration")]
    pub handler_timeout: Duration,
    /// How long a message may be with a consumer that says nothing before another one gets it.
    /// Default: `30s`.
    ///
    /// Too low: slow work is done twice at once, and one of them in vain. Too high: after a crash
    /// its messages wait that long.
    #[serde(with = "duration")]
    pub redeliver_after: Duration,
    /// How long a message that failed waits at most before its second attempt; doubled with each
    /// further one, and spread by chance. Default: `500ms`.
    ///
    /// Too low: what it needs has no time to come back. Too high: a hiccup delays it for long.
    #[serde(with = "duration")]
    pub backoff_base: Duration,
    /// The longest such wait. Default: `1m`.
    ///
    /// Too low: a long outage uses the attempts up. Too high: after it, messages wait for nothing.
    #[serde(with = "duration")]
    pub backoff_max: Duration,
    /// How long a message waits for the one before it until that is asked for again. Default: `5s`.
    ///
    /// Too low: what is on its way is asked for. Too high: a lost one holds the others up for long.
    #[serde(with = "duration")]
    pub gap_timeout: Duration,
    /// How long it is remembered what was applied. Default: `7days`.
    ///
    /// Too low: a late duplicate is put aside, and somebody has to look at it. Too high: the table
    /// grows. It must be longer than `outbox.retention`.
    #[serde(with = "duration")]
    pub retention: Duration,
    /// How much time one partition of the inbox holds. Default: `6h`.
    ///
    /// Too low: many partitions, and each statement has to choose. Too high: cleaning up comes in
    /// large lumps.
    #[serde(with = "duration")]
    pub partition_span: Duration,
}
