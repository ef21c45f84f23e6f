//! Every metric of requests: name, meaning and labels. Labels come from closed sets, and each series is born
//! at zero, so that a rate has data before the first event.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::{books, chores, messages, tiers};
use crate::domain::Operation;

/// Requests by operation and outcome: signal 1.
pub(crate) const REQUESTS: &str = "oncely_requests_total";
/// Requests by operation and attempt: signal 2.
pub(crate) const ATTEMPTS: &str = "oncely_attempts_total";
/// Requests that were refused before anything was stored, by operation and problem code.
const REFUSED: &str = "oncely_refused_total";
/// How long a request takes from its head to its answer, by operation.
pub(super) const REQUEST_SECONDS: &str = "oncely_request_seconds";
/// 1 while the hot path is used, 0 while it is degraded.
const HOT_UP: &str = "oncely_hot_up";
/// 1 while the ledger's epoch is confirmed, 0 while it is not.
const LEDGER_UP: &str = "oncely_ledger_up";
/// Connections to the ledger by state.
const CONNECTIONS: &str = "oncely_ledger_connections";
/// Duplicates that wait for the first one's answer.
const WAITING: &str = "oncely_waiting_requests";
/// How waits ended.
const WAITS: &str = "oncely_waits_total";

/// The codes of [`REFUSED`].
const REFUSALS: [&str; 6] = [
    "body-incomplete",
    "key-missing",
    "key-invalid",
    "body-invalid",
    "body-too-large",
    "internal",
];

/// How the wait of a duplicate ended: the label `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitEnd {
    /// It got an answer, or became the first one.
    Answered,
    /// The other one was still at it.
    TurnedAway,
    /// As many waited as may, so it did not.
    NoPlace,
    /// Its client went away.
    Gone,
}

impl WaitEnd {
    const ALL: [Self; 4] = [Self::Answered, Self::TurnedAway, Self::NoPlace, Self::Gone];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::TurnedAway => "turned_away",
            Self::NoPlace => "no_place",
            Self::Gone => "gone",
        }
    }
}

/// What became of a request: the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// It ran, and its answer is kept.
    New,
    /// It ran, and nothing is kept under a key.
    NotKept,
    /// Its stored answer was repeated.
    Replayed,
    /// 409, the key is being worked on.
    InFlight,
    /// 422, the key was used for another request.
    Mismatch,
    /// 409, done, but its answer can't be given.
    NotReplayable,
    /// 503, there is a record that this process can't compare.
    Unverifiable,
    /// 503, nothing was done.
    Unavailable,
    /// 503, nobody knows.
    OutcomeUnknown,
    /// 409, a call was sent whose end is not known; an operator has to look.
    OperationUnknown,
    /// 503, a leased operation has begun, and this attempt could not end it.
    Unfinished,
    /// 500, a bug or a wrong setting.
    Failed,
}

impl Label {
    const ALL: [Self; 12] = [
        Self::New,
        Self::NotKept,
        Self::Replayed,
        Self::InFlight,
        Self::Mismatch,
        Self::NotReplayable,
        Self::Unverifiable,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::OperationUnknown,
        Self::Unfinished,
        Self::Failed,
    ];

    /// The label's value.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::NotKept => "not_kept",
            Self::Replayed => "replayed",
            Self::InFlight => "in_flight",
            Self::Mismatch => "mismatch",
            Self::NotReplayable => "not_replayable",
            Self::Unverifiable => "unverifiable",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::OperationUnknown => "operation_unknown",
            Self::Unfinished => "unfinished",
            Self::Failed => "failed",
        }
    }
}

/// Describes every metric to the installed recorder. Call it once, after installing one.
pub fn describe() {
    describe_counter!(
        REQUESTS,
        Unit::Count,
        "Requests with a valid key, by what became of them"
    );
    describe_counter!(
        ATTEMPTS,
        Unit::Count,
        "Requests by the attempt number the client sent"
    );
    describe_counter!(
        REFUSED,
        Unit::Count,
        "Requests refused before anything was stored"
    );
    describe_histogram!(
        REQUEST_SECONDS,
        Unit::Seconds,
        "How long a guarded request takes, refused ones too"
    );
    describe_gauge!(
        HOT_UP,
        Unit::Count,
        "1 while Redis is used, 0 while the ledger serves alone"
    );
    describe_gauge!(
        LEDGER_UP,
        Unit::Count,
        "1 while the ledger answers and is the primary"
    );
    describe_gauge!(
        CONNECTIONS,
        Unit::Count,
        "Connections to the ledger by state"
    );
    describe_gauge!(
        WAITING,
        Unit::Count,
        "Duplicates that wait for the first one's answer"
    );
    describe_counter!(WAITS, Unit::Count, "Waits of duplicates, by how they ended");
    set_tiers(false, false);
    set_connections(0, 0);
    gauge!(WAITING).set(0.0);
    for end in WaitEnd::ALL {
        counter!(WAITS, "end" => end.as_str()).increment(0);
    }
    messages::describe();
    super::sweep::describe();
    tiers::describe();
    books::describe();
    chores::describe();
    #[cfg(feature = "cli")]
    super::process::describe();
    #[cfg(feature = "client")]
    super::client::describe();
}

/// Gives an operation's series their first value.
pub(crate) fn register_operation(operation: &Operation) {
    for label in Label::ALL {
        outcome(operation, label).increment(0);
    }
    for number in [1, 2, 3, 4] {
        attempts(operation, number).increment(0);
    }
    for code in REFUSALS {
        refused(operation, code).increment(0);
    }
    drop(seconds(operation));
}

pub(crate) fn count_outcome(operation: &Operation, label: Label) {
    outcome(operation, label).increment(1);
}

pub(crate) fn count_attempt(operation: &Operation, number: u32) {
    attempts(operation, number).increment(1);
}

pub(crate) fn count_refused(operation: &Operation, code: &'static str) {
    refused(operation, code).increment(1);
}

/// One more waits, or one less.
pub(crate) fn add_waiting(n_more: i8) {
    gauge!(WAITING).increment(f64::from(n_more));
}

pub(crate) fn count_wait(end: WaitEnd) {
    counter!(WAITS, "end" => end.as_str()).increment(1);
}

pub(crate) fn request_took(operation: &Operation, took: Duration) {
    seconds(operation).record(took.as_secs_f64());
}

/// Sets the gauges of the two tiers.
pub(crate) fn set_tiers(hot_is_up: bool, ledger_is_up: bool) {
    gauge!(HOT_UP).set(f64::from(u8::from(hot_is_up)));
    gauge!(LEDGER_UP).set(f64::from(u8::from(ledger_is_up)));
}

/// Sets the gauges of the ledger's pool.
pub(crate) fn set_connections(n_open: u32, n_idle: u32) {
    gauge!(CONNECTIONS, "state" => "idle").set(f64::from(n_idle));
    gauge!(CONNECTIONS, "state" => "busy").set(f64::from(n_open.saturating_sub(n_idle)));
}

fn outcome(operation: &Operation, label: Label) -> metrics::Counter {
    counter!(REQUESTS, "operation" => operation.as_str().to_owned(), "outcome" => label.as_str())
}

fn attempts(operation: &Operation, number: u32) -> metrics::Counter {
    let attempt = match number {
        0 | 1 => "1",
        2 => "2",
        3 => "3",
        4.. => "4+",
    };
    counter!(ATTEMPTS, "operation" => operation.as_str().to_owned(), "attempt" => attempt)
}

fn seconds(operation: &Operation) -> metrics::Histogram {
    histogram!(REQUEST_SECONDS, "operation" => operation.as_str().to_owned())
}

fn refused(operation: &Operation, code: &'static str) -> metrics::Counter {
    counter!(REFUSED, "operation" => operation.as_str().to_owned(), "code" => code)
}
