//! When each background loop last did its work: a loop that is gone must not look healthy.

use metrics::{Unit, describe_gauge, gauge};

use crate::clock;

/// Unix time of a chore's last success, by chore.
const LAST_SUCCESS: &str = "oncely_chore_last_success_timestamp_seconds";

/// What is done in the background: the label `chore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chore {
    /// The ledger's epoch is confirmed.
    Epoch,
    /// Expired records are deleted.
    Sweeper,
    /// The database is asked how the whole is.
    Gauges,
    /// Effects are compared with operations.
    Audit,
}

impl Chore {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Sweeper => "sweeper",
            Self::Gauges => "gauges",
            Self::Audit => "audit",
        }
    }
}

/// Describes the metric of chores to the installed recorder.
pub(super) fn describe() {
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "Unix time at which a background loop last did its work"
    );
}

/// The chore has begun, or was done just now. A loop says so when it starts: the time that it is given
/// for its first success is counted from there.
pub(crate) fn done(chore: Chore) {
    gauge!(LAST_SUCCESS, "chore" => chore.as_str()).set(now());
}

/// Seconds since 1970 by this machine's clock, which is Prometheus' measure of how old a value is.
pub(super) fn now() -> f64 {
    (clock::now() - time::OffsetDateTime::UNIX_EPOCH).as_seconds_f64()
}
