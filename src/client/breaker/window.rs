//! Successes and failures of the last ten seconds.

use tokio::time::Instant;

/// Ten slots of a second each. A sample is forgotten nine to ten seconds after it was taken.
const N_SLOTS: usize = 10;

/// What happened in the last ten seconds.
#[derive(Debug)]
pub(super) struct Window {
    began_at: Instant,
    slots: [Slot; N_SLOTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// The second that it is about, counted from the window's beginning.
    second: u64,
    n_good: u64,
    n_bad: u64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            began_at: Instant::now(),
            slots: [Slot::default(); N_SLOTS],
        }
    }

    /// Counts one sample.
    pub(super) fn push(&mut self, is_good: bool) {
        let second = self.began_at.elapsed().as_secs();
        let n_slots = u64::try_from(N_SLOTS).expect("invariant: ten fits");
        let idx = usize::try_from(second % n_slots).expect("invariant: below ten");
        let Some(slot) = self.slots.get_mut(idx) else {
            return;
        };
        if slot.second != second {
            *slot = Slot {
                second,
                ..Slot::default()
            };
        }
        slot.n_good += u64::from(is_good);
        slot.n_bad += u64::from(!is_good);
    }

    /// Whether fewer than `percent` of at least `samples_min` samples are good.
    pub(super) fn is_below(&self, percent: u32, samples_min: u64) -> bool {
        let now = self.began_at.elapsed().as_secs();
        let recent = self.slots.iter().filter(|it| {
            let age = now.saturating_sub(it.second);
            usize::try_from(age).is_ok_and(|it| it < N_SLOTS)
        });
        let (good, bad) = recent.fold((0, 0), |(good, bad), it| (good + it.n_good, bad + it.n_bad));
        let n = good + bad;
        0 < n && samples_min <= n && good * 100 < u64::from(percent) * n
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_share_needs_its_samples_and_is_strictly_below() {
        let mut window = Window::new();
        assert!(!window.is_below(50, 0), "nothing is no share");
        for it in 0..20 {
            assert!(!window.is_below(50, 20), "{it} samples");
            window.push(it % 2 == 0);
        }
        assert!(!window.is_below(50, 20), "half is not below half");
        window.push(false);
        assert!(window.is_below(50, 20));
        assert!(!window.is_below(10, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn samples_are_forgotten_after_ten_seconds() {
        let mut window = Window::new();
        for _ in 0..20 {
            window.push(false);
        }
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(window.is_below(50, 20));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!window.is_below(50, 1));
        for _ in 0..19 {
            window.push(false);
        }
        assert!(!window.is_below(50, 20), "twenty fresh samples are needed");
        window.push(false);
        assert!(window.is_below(50, 20));
    }
}
