//! Every metric that is read from the database: what the books say, whoever is alive to say it.

use metrics::{Unit, describe_gauge, gauge};

/// Age of the oldest operation that holds its key: a transaction, or a leased operation.
const IN_FLIGHT_OLDEST: &str = "oncely_in_flight_oldest_seconds";
/// Leased operations whose outcome nobody knows; each waits for an operator.
const UNKNOWN: &str = "oncely_unknown_operations";
/// Leased operations whose lease has run out, and that nobody has taken over.
const LEASES_OVERDUE: &str = "oncely_leases_overdue";
/// Dead letters that nobody has dealt with.
const DEAD_LETTERS_OPEN: &str = "oncely_dead_letters_open";
/// How long ago the oldest row was to be deleted, by table.
const RETENTION_OVERDUE: &str = "oncely_retention_overdue_seconds";
/// What a table and its indexes take on disk, by table.
const TABLE_BYTES: &str = "oncely_table_bytes";
/// Events of the audited window whose effect is missing, or there too often, by effect.
const MISMATCH: &str = "oncely_effects_mismatch";
/// Confirmed events that the last audit looked at, by effect.
const AUDITED: &str = "oncely_effects_audited";

/// The tables that grow with traffic: the label `table`.
pub(crate) const TABLES: [&str; 6] = [
    "records",
    "outbox_event",
    "outbox_pending",
    "inbox",
    "inbox_waiting",
    "dead_letter",
];

/// Describes every metric of the books to the installed recorder.
pub(super) fn describe() {
    describe_gauge!(
        IN_FLIGHT_OLDEST,
        Unit::Seconds,
        "Age of the oldest operation that holds its key"
    );
    describe_gauge!(
        UNKNOWN,
        Unit::Count,
        "Leased operations whose outcome nobody knows"
    );
    describe_gauge!(
        LEASES_OVERDUE,
        Unit::Count,
        "Leased operations whose lease has run out"
    );
    describe_gauge!(
        DEAD_LETTERS_OPEN,
        Unit::Count,
        "Dead letters that nobody has dealt with"
    );
    describe_gauge!(
        RETENTION_OVERDUE,
        Unit::Seconds,
        "How long ago the oldest row was to be deleted"
    );
    describe_gauge!(
        TABLE_BYTES,
        Unit::Bytes,
        "What a table and its indexes take on disk"
    );
    describe_gauge!(
        MISMATCH,
        Unit::Count,
        "Confirmed events whose effect is missing, or there too often"
    );
    describe_gauge!(
        AUDITED,
        Unit::Count,
        "Confirmed events that the last audit looked at"
    );
}

/// Sets what is under way and what is stuck: age in seconds, operations of unknown outcome, leases
/// that have run out, dead letters.
pub(crate) fn set_open(in_flight: f64, [unknown, overdue, dead]: [u64; 3]) {
    gauge!(IN_FLIGHT_OLDEST).set(in_flight);
    gauge!(UNKNOWN).set(wide(unknown));
    gauge!(LEASES_OVERDUE).set(wide(overdue));
    gauge!(DEAD_LETTERS_OPEN).set(wide(dead));
}

/// Sets how far a table is behind its retention.
pub(crate) fn set_retention_overdue(table: &'static str, seconds: f64) {
    gauge!(RETENTION_OVERDUE, "table" => table).set(seconds);
}

/// Sets what a table takes on disk.
pub(crate) fn set_table_bytes(table: &'static str, bytes: u64) {
    gauge!(TABLE_BYTES, "table" => table).set(wide(bytes));
}

/// Sets what an audit of one effect came to: events looked at, of them without it, of them with too
/// many.
pub(crate) fn set_audited(effect: &'static str, [audited, missing, extra]: [u64; 3]) {
    gauge!(AUDITED, "effect" => effect).set(wide(audited));
    gauge!(MISMATCH, "effect" => effect, "kind" => "missing").set(wide(missing));
    gauge!(MISMATCH, "effect" => effect, "kind" => "extra").set(wide(extra));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and what is counted stays far below 2^53"
)]
pub(super) fn wide(n: u64) -> f64 {
    n as f64
}
