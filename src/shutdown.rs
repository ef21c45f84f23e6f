//! Background tasks that a shutdown can stop and join, so that no work is cut in the middle.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
        self.tracker.spawn(work)
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
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => (),
                () = work => (),
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
}
