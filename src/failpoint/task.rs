//! Tasks that know themselves, so that a fail point can have the one that it is in dropped.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use tokio::task::{AbortHandle, JoinHandle, yield_now};
use tokio_util::task::TaskTracker;

tokio::task_local! {
    static OWN: Arc<OnceLock<AbortHandle>>;
}

/// Spawns `work` on `tracker`, as a task that [`cancel_own`] can drop.
pub(crate) fn spawn<F>(tracker: &TaskTracker, work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let own = Arc::new(OnceLock::new());
    let task = tracker.spawn(OWN.scope(Arc::clone(&own), work));
    // Nobody else sets it.
    own.set(task.abort_handle()).ok();
    task
}

/// Has the task that this is called in dropped at this await point. Returns where there is none.
pub(super) async fn cancel_own() {
    let Ok(own) = OWN.try_with(Arc::clone) else {
        return;
    };
    loop {
        if let Some(task) = own.get() {
            task.abort();
            std::future::pending::<()>().await;
        }
        // On another thread, `spawn` is about to say who we are.
        yield_now().await;
    }
}
