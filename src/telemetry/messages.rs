//! Every metric of events and messages: name, meaning and labels. Labels come from closed sets, and
//! each series is born at zero.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::books::wide;
use super::chores::now;

/// Events that a broker has taken, by topic.
pub(crate) const PUBLISHED: &str = "oncely_outbox_published_total";
/// Events that were made pending again, by cause.
pub(crate) const REPUBLISHED: &str = "oncely_outbox_republished_total";
/// Single events that the broker refused, by topic.
const PUBLISH_REFUSED: &str = "oncely_outbox_refused_total";
/// Events that no broker has yet.
const PENDING: &str = "oncely_outbox_pending";
/// Age of the oldest pending event, by the database's clock: signal 3.
const LAG: &str = "oncely_outbox_lag_seconds";
/// Age of the oldest event that some consumer has not confirmed.
const UNCONFIRMED: &str = "oncely_outbox_unconfirmed_seconds";
/// When the relay last did its round, so that a dead relay can't freeze the lag at a low value.
const RELAY_SUCCESS: &str = "oncely_relay_last_success_timestamp_seconds";
/// Shards that this process relays.
const RELAY_SHARDS: &str = "oncely_relay_shards";
/// Events a second that the relay allows itself.
const RELAY_RATE: &str = "oncely_relay_rate";
/// 1 while the broker is used, 0 while the relay's breaker is open.
const BROKER_UP: &str = "oncely_broker_up";
/// 1 for the durability mode that was detected.
const BROKER_DURABILITY: &str = "oncely_broker_durability";
/// How often the broker may have lost messages: a restart, a fail-over, a topic that went backwards.
pub(crate) const BROKER_CHANGES: &str = "oncely_broker_changes_total";
/// Messages applied, by consumer: signal 4.
pub(crate) const APPLIED: &str = "oncely_effects_applied_total";
/// Messages that came again and were absorbed, by consumer.
pub(crate) const DUPLICATES: &str = "oncely_inbox_duplicates_total";
/// Attempts that failed, by consumer.
const FAILURES: &str = "oncely_inbox_failures_total";
/// Messages that came before their predecessor, by consumer.
const GAPS: &str = "oncely_inbox_gaps_total";
/// Messages that are set aside, by consumer.
const WAITING: &str = "oncely_inbox_waiting";
/// Messages that were given up, by consumer.
pub(crate) const DEAD_LETTERS: &str = "oncely_dead_letters_total";
/// When a consumer last asked the broker and was answered, so that a dead one can't look healthy.
const CONSUMER_SUCCESS: &str = "oncely_consumer_last_success_timestamp_seconds";

/// Why an event was made pending again: the label `cause`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The broker changed and may have lost it.
    Broker,
    /// The inbox does not have it, though it is old enough.
    Reconcile,
    /// A consumer waits for it.
    Gap,
}

impl Cause {
    const ALL: [Self; 3] = [Self::Broker, Self::Reconcile, Self::Gap];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Reconcile => "reconcile",
            Self::Gap => "gap",
        }
    }
}

/// Describes every metric of messages to the installed recorder.
pub(super) fn describe() {
    describe_relay();
    describe_consumers();
}

fn describe_relay() {
    describe_counter!(PUBLISHED, Unit::Count, "Events that a broker has taken");
    describe_counter!(
        REPUBLISHED,
        Unit::Count,
        "Events made pending again, because they may be or are missing downstream"
    );
    describe_counter!(
        PUBLISH_REFUSED,
        Unit::Count,
        "Single events that the broker refused"
    );
    describe_gauge!(PENDING, Unit::Count, "Events that no broker has yet");
    describe_gauge!(
        LAG,
        Unit::Seconds,
        "Age of the oldest pending event, by the database's clock"
    );
    describe_gauge!(
        UNCONFIRMED,
        Unit::Seconds,
        "Age of the oldest event that some consumer has not confirmed"
    );
    describe_gauge!(
        RELAY_SUCCESS,
        Unit::Seconds,
        "Unix time of the relay's last round"
    );
    describe_gauge!(RELAY_SHARDS, Unit::Count, "Shards that this process relays");
    describe_gauge!(
        RELAY_RATE,
        Unit::CountPerSecond,
        "Events a second that the relay allows itself"
    );
    describe_gauge!(
        BROKER_UP,
        Unit::Count,
        "1 while the broker is used, 0 while the breaker is open"
    );
    describe_gauge!(
        BROKER_DURABILITY,
        Unit::Count,
        "1 for the durability that was detected at the broker"
    );
    describe_counter!(
        BROKER_CHANGES,
        Unit::Count,
        "How often the broker may have lost messages"
    );
    for cause in Cause::ALL {
        republished(cause, 0);
    }
    counter!(BROKER_CHANGES).increment(0);
}

fn describe_consumers() {
    describe_counter!(APPLIED, Unit::Count, "Messages that took effect");
    describe_counter!(
        DUPLICATES,
        Unit::Count,
        "Messages that came again and were absorbed"
    );
    describe_counter!(FAILURES, Unit::Count, "Attempts that failed");
    describe_counter!(
        GAPS,
        Unit::Count,
        "Messages that came before their predecessor"
    );
    describe_gauge!(WAITING, Unit::Count, "Messages that are set aside");
    describe_counter!(DEAD_LETTERS, Unit::Count, "Messages that were given up");
    describe_gauge!(
        CONSUMER_SUCCESS,
        Unit::Seconds,
        "Unix time at which a consumer last had an answer from the broker and applied what it got"
    );
}

/// Gives a consumer's series their first value.
pub(crate) fn register_consumer(consumer: &'static str) {
    applied(consumer, 0);
    absorbed(consumer, 0);
    failed(consumer, 0);
    early(consumer, 0);
    given_up(consumer, 0);
    set_waiting(consumer, 0);
    turned(consumer);
}

pub(crate) fn published(topic: &str, n: u64) {
    counter!(PUBLISH_REFUSED, "topic" => topic.to_owned()).increment(0);
    counter!(PUBLISHED, "topic" => topic.to_owned()).increment(n);
}

pub(crate) fn republished(cause: Cause, n: u64) {
    counter!(REPUBLISHED, "cause" => cause.as_str()).increment(n);
}

pub(crate) fn publish_refused(topic: &str) {
    counter!(PUBLISH_REFUSED, "topic" => topic.to_owned()).increment(1);
}

/// Sets what the database says of the backlog: how many, and the age of the oldest in seconds.
pub(crate) fn set_backlog(n_pending: u64, lag: f64, unconfirmed: f64) {
    gauge!(PENDING).set(wide(n_pending));
    gauge!(LAG).set(lag);
    gauge!(UNCONFIRMED).set(unconfirmed);
}

/// Sets what the relay is at after a round: now, its shards, its rate.
pub(crate) fn set_relay(n_shards: u64, rate: f64) {
    gauge!(RELAY_SUCCESS).set(now());
    gauge!(RELAY_SHARDS).set(wide(n_shards));
    gauge!(RELAY_RATE).set(rate);
}

pub(crate) fn set_broker_up(is_up: bool) {
    gauge!(BROKER_UP).set(f64::from(u8::from(is_up)));
}

pub(crate) fn set_broker_durability(mode: &'static str) {
    for it in ["fsynced", "confirmed", "hint"] {
        gauge!(BROKER_DURABILITY, "mode" => it).set(f64::from(u8::from(it == mode)));
    }
}

pub(crate) fn broker_changed() {
    counter!(BROKER_CHANGES).increment(1);
}

pub(crate) fn applied(consumer: &'static str, n: u64) {
    counter!(APPLIED, "consumer" => consumer).increment(n);
}

pub(crate) fn absorbed(consumer: &'static str, n: u64) {
    counter!(DUPLICATES, "consumer" => consumer).increment(n);
}

pub(crate) fn failed(consumer: &'static str, n: u64) {
    counter!(FAILURES, "consumer" => consumer).increment(n);
}

pub(crate) fn early(consumer: &'static str, n: u64) {
    counter!(GAPS, "consumer" => consumer).increment(n);
}

pub(crate) fn given_up(consumer: &'static str, n: u64) {
    counter!(DEAD_LETTERS, "consumer" => consumer).increment(n);
}

pub(crate) fn set_waiting(consumer: &'static str, n: u64) {
    gauge!(WAITING, "consumer" => consumer).set(wide(n));
}

/// A consumer's turn was a success, if only in that there was nothing to do.
pub(crate) fn turned(consumer: &'static str) {
    gauge!(CONSUMER_SUCCESS, "consumer" => consumer).set(now());
}
