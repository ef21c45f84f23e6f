//! One absolute deadline for a call, its waits and all its attempts.

use std::time::Duration;

use tokio::time::Instant;

/// The instant at which a call has returned, whatever the policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// `patience` from now. A patience beyond the clock's range is a century.
    pub fn after(patience: Duration) -> Self {
        const CENTURY: Duration = Duration::from_hours(24 * 365 * 100);
        let now = Instant::now();
        Self(now.checked_add(patience).unwrap_or(now + CENTURY))
    }

    /// At `instant`.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The instant.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// How much time is left; nothing once it is over.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_left_shrinks_to_nothing() {
        let deadline = Deadline::after(Duration::from_secs(2));
        assert_eq!(deadline.left(), Duration::from_secs(2));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(deadline.left(), Duration::ZERO);
        assert!(Deadline::after(Duration::from_secs(1)) > deadline);
    }

    #[tokio::test]
    async fn a_patience_without_end_does_not_overflow() {
        assert!(Deadline::after(Duration::MAX).left() > Duration::from_hours(24));
    }
}
