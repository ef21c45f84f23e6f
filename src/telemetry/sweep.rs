//! The metric of the sweeper: how much it has deleted.

use metrics::{Unit, counter, describe_counter};

/// Records past their retention that were deleted.
const PRUNED: &str = "oncely_records_pruned_total";

/// Describes the metric to the installed recorder, and gives it its first value.
pub(super) fn describe() {
    describe_counter!(
        PRUNED,
        Unit::Count,
        "Records past their retention that were deleted"
    );
    pruned(0);
}

/// So many records were deleted.
pub(crate) fn pruned(n: u64) {
    counter!(PRUNED).increment(n);
}
