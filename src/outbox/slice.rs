//! The arithmetic of time slices and of partitions. Pure.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;

use crate::domain::{floor_id, time_of_id};

/// The longest slice.
const SLICE: Duration = Duration::from_mins(1);

/// Ids from `low` on, up to and without `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) low: Uuid,
    pub(super) high: Uuid,
}

/// The slice that begins with `first`, the lowest id that is to be looked at: to the end of its minute,
/// or to `sealed`. `None` where `first` is not sealed yet.
pub(super) fn slice(first: Uuid, sealed: OffsetDateTime) -> Option<Slice> {
    let end = floor_id(boundary_after(time_of_id(first), SLICE));
    let high = end.min(floor_id(sealed));
    (first < high).then_some(Slice { low: first, high })
}

/// The first boundary after `at`: boundaries are whole multiples of `span` since 1970.
pub(super) fn boundary_after(at: OffsetDateTime, span: Duration) -> OffsetDateTime {
    let span = i128::try_from(span.as_millis()).unwrap_or(1).max(1);
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    let next = millis
        .div_euclid(span)
        .saturating_add(1)
        .saturating_mul(span);
    instant(next)
}

/// The last boundary that is not after `at`.
pub(super) fn boundary_before(at: OffsetDateTime, span: Duration) -> OffsetDateTime {
    let span = i128::try_from(span.as_millis()).unwrap_or(1).max(1);
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    instant(millis.div_euclid(span).saturating_mul(span))
}

fn instant(millis: i128) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(millis.saturating_mul(1_000_000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// What a partition that begins at `at` is called, without its table's name: `20261122t0200`.
pub(super) fn suffix(at: OffsetDateTime) -> String {
    let minutes = format_description!("[year][month][day]t[hour][minute]");
    let all = format_description!("[year][month][day]t[hour][minute][second][subsecond digits:3]");
    let is_whole = at.unix_timestamp().rem_euclid(60) == 0 && at.millisecond() == 0;
    // Years and fields of a date that exists can always be written.
    if is_whole {
        at.format(minutes).unwrap_or_default()
    } else {
        at.format(all).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    #[test]
    fn a_slice_ends_with_its_minute_or_where_it_is_sealed() {
        let first = floor_id(datetime!(2026-11-22 02:00:59.5 UTC));
        let high = |sealed| slice(first, sealed).map(|it| time_of_id(it.high));
        let minute = datetime!(2026-11-22 02:01 UTC);
        assert_eq!(high(datetime!(2026-11-22 03:00 UTC)), Some(minute));
        let sealed = datetime!(2026-11-22 02:00:59.7 UTC);
        assert_eq!(high(sealed), Some(sealed));
        assert_eq!(high(datetime!(2026-11-22 02:00:59.5 UTC)), None);
    }

    #[test]
    fn a_partition_is_named_by_its_beginning() {
        assert_eq!(suffix(datetime!(2026-11-22 02:00 UTC)), "20261122t0200");
        assert_eq!(
            suffix(datetime!(2026-11-22 02:00:30.5 UTC)),
            "20261122t020030500"
        );
    }

    proptest! {
        #[test]
        fn boundaries_are_around_each_instant(millis in 0i64..4_000_000_000_000, span in 1u64..1_000_000_000) {
            let at = instant(i128::from(millis));
            let span = Duration::from_millis(span);
            let (before, after) = (boundary_before(at, span), boundary_after(at, span));
            prop_assert!(before <= at && at < after);
            prop_assert_eq!(after - before, span);
        }
    }
}
