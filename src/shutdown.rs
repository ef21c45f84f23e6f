//! Background tasks that a shutdown can stop and join, so that no work is cut in the middle.

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failpoint;

/// The tasks of one store or one process. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Spawns work that has an end of its own: a shutdown waits for it and never cancels it.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        failpoint::spawn(&self.tracker, work)
    }

    /// Spawns a loop without an end: a shutdown drops it at its next await point.
    ///
    /// # Cancellation
    ///
    /// Only for loops that may be dropped anywhere. What must finish belongs into [`Tasks::spawn`].
    pub fn spawn_loop<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        drop(self.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => (),
                () = work => (),
            }
        }));
    }

    /// Spawns rounds without an end, one for each `period`, until one says that it was the last. A
    /// panic ends its round and no other: a loop that nobody watches must not be gone for one.
    ///
    /// # Cancellation
    ///
    /// As [`Tasks::spawn_loop`].
    pub fn spawn_rounds<F, R>(&self, period: Duration, what: &'static str, mut round: F)
    where
        F: FnMut() -> R + Send + 'static,
        R: Future<Output = ControlFlow<()>> + Send,
    {
        self.spawn_loop(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                match AssertUnwindSafe(round()).catch_unwind().await {
                    Ok(ControlFlow::Continue(())) => (),
                    Ok(ControlFlow::Break(())) => break,
                    Err(_panic) => tracing::error!(what, "a round panicked; the next one comes"),
                }
            }
        });
    }

    /// Cancelled when a shutdown begins: for work that ends by itself, but not before it is told to.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops the loops and waits for all work, at most `patience`; false where work was left.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait())
            .await
            .is_ok()
    }

    /// How many tasks are still there.
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Whether no task is left.
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_work_and_stops_loops() {
        let tasks = Tasks::default();
        let work = tasks.spawn(tokio::time::sleep(Duration::from_secs(5)));
        tasks.spawn_loop(std::future::pending());
        assert!(tasks.drain(Duration::from_secs(6)).await);
        assert!(work.is_finished());
        assert!(tasks.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_says_when_its_patience_ended() {
        let tasks = Tasks::default();
        tasks.spawn(std::future::pending::<()>());
        assert!(!tasks.drain(Duration::from_secs(1)).await);
        assert_eq!(tasks.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_that_panics_is_followed_by_the_next_one() {
        let tasks = Tasks::default();
        let n_rounds = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&n_rounds);
        tasks.spawn_rounds(Duration::from_secs(1), "counting", move || {
            let n = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(n != 1, "the second round panics");
                if n < 3 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(n_rounds.load(Ordering::Relaxed), 4);
        assert!(tasks.is_empty());
    }
}
