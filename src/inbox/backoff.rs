//! How long to wait before the next attempt, by the inbox's settings and the attempts so far.

use std::time::Duration;

use crate::backoff::{Backoff, draw};
use crate::config;

/// The wait after attempt `n` (from 1) failed: full jitter.
pub(super) fn wait(settings: &config::Inbox, n: u32) -> Duration {
    of(settings).delay(n.saturating_sub(1), draw())
}

fn of(settings: &config::Inbox) -> Backoff {
    Backoff::new(settings.backoff_base, settings.backoff_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread() {
        let settings = config::Config::default().inbox;
        let bounds = [1, 2, 3, 40, u32::MAX].map(|n| of(&settings).ceiling(n - 1).as_millis());
        assert_eq!(bounds, [500, 1000, 2000, 60_000, 60_000]);
        let waits: Vec<_> = (0..64).map(|_| wait(&settings, 3)).collect();
        assert!(waits.iter().all(|it| *it <= Duration::from_secs(2)));
        assert!(waits.iter().any(|it| *it != waits[0]));
    }
}
