//! How long to wait before the next attempt: doubled each time, capped, and spread over all of it.

use std::time::Duration;

use crate::config;

/// The wait after attempt `n` (from 1) failed: anything from nought to the bound, by chance, so that
/// what failed together does not come back together.
pub(super) fn wait(settings: &config::Inbox, n: u32) -> Duration {
    bound(settings, n).mul_f64(rand::random_range(0.0..=1.0))
}

/// The longest wait after attempt `n`.
fn bound(settings: &config::Inbox, n: u32) -> Duration {
    let doubled = 2u32.saturating_pow(n.saturating_sub(1).min(31));
    let wait = settings.backoff_base.saturating_mul(doubled);
    wait.min(settings.backoff_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread() {
        let settings = config::Config::default().inbox;
        let bounds = [1, 2, 3, 40, u32::MAX].map(|n| bound(&settings, n).as_millis());
        assert_eq!(bounds, [500, 1000, 2000, 60_000, 60_000]);
        let waits: Vec<_> = (0..64).map(|_| wait(&settings, 3)).collect();
        assert!(waits.iter().all(|it| *it <= Duration::from_secs(2)));
        assert!(waits.iter().any(|it| *it != waits[0]));
    }
}
