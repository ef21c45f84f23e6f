//! Every metric of the two tiers at work: how long their steps take, and what goes wrong with them.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

/// How long a command to Redis takes, by command.
pub(super) const HOT_SECONDS: &str = "oncely_hot_seconds";
/// Commands to Redis that came to nothing, by class.
const HOT_ERRORS: &str = "oncely_hot_errors_total";
/// How long a step on Postgres takes, by step.
pub(super) const LEDGER_SECONDS: &str = "oncely_ledger_seconds";
/// Steps on Postgres that failed, by class.
const LEDGER_ERRORS: &str = "oncely_ledger_errors_total";

/// The values of the label `command`.
pub(crate) const COMMANDS: [&str; 4] = ["acquire", "complete", "release", "probe"];

/// The values of the label `class` of Redis' errors.
pub(crate) const HOT_CLASSES: [&str; 7] = [
    "open",
    "timeout",
    "broken",
    "full",
    "read_only",
    "refused",
    "unusable",
];

/// The values of the label `step`.
pub(crate) const STEPS: [&str; 5] = ["begin", "acquire", "look_up", "complete", "commit"];

/// The values of the label `class` of Postgres' errors.
pub(crate) const LEDGER_CLASSES: [&str; 4] = ["transient", "indeterminate", "corrupt", "permanent"];

/// Describes every metric of the tiers to the installed recorder, and gives each its first value.
pub(super) fn describe() {
    describe_histogram!(
        HOT_SECONDS,
        Unit::Seconds,
        "How long a command to Redis takes, failed ones too"
    );
    describe_counter!(
        HOT_ERRORS,
        Unit::Count,
        "Commands to Redis that came to nothing"
    );
    describe_histogram!(
        LEDGER_SECONDS,
        Unit::Seconds,
        "How long a step on Postgres takes, failed and given-up ones too"
    );
    describe_counter!(LEDGER_ERRORS, Unit::Count, "Steps on Postgres that failed");
    for class in HOT_CLASSES {
        counter!(HOT_ERRORS, "class" => class).increment(0);
    }
    for class in LEDGER_CLASSES {
        counter!(LEDGER_ERRORS, "class" => class).increment(0);
    }
    // A histogram is born where its handle is asked for: empty, and there.
    for command in COMMANDS {
        drop(histogram!(HOT_SECONDS, "command" => command));
    }
    for step in STEPS {
        drop(histogram!(LEDGER_SECONDS, "step" => step));
    }
}

pub(crate) fn hot_took(command: &'static str, took: Duration) {
    histogram!(HOT_SECONDS, "command" => command).record(took.as_secs_f64());
}

pub(crate) fn hot_failed(class: &'static str) {
    counter!(HOT_ERRORS, "class" => class).increment(1);
}

pub(crate) fn ledger_took(step: &'static str, took: Duration) {
    histogram!(LEDGER_SECONDS, "step" => step).record(took.as_secs_f64());
}

pub(crate) fn ledger_failed(class: &'static str) {
    counter!(LEDGER_ERRORS, "class" => class).increment(1);
}
