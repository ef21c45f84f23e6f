//! The wall clock, read here and nowhere else.
//!
//! It only ever decides how long to wait or whether a hint is fresh. What is stored is timed by
//! the database's own clock.

use time::OffsetDateTime;

/// The time of day on this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
