//! What stands for fail points in a build without them: nothing.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::Injected;

/// The fail points of one store: none.
#[derive(Debug, Clone, Default)]
pub struct FailPoints {}

/// A release pays nothing for them, in size or in time.
const _: () = assert!(size_of::<FailPoints>() == 0);

impl FailPoints {
    /// Takes an empty list. A fail point that was asked for and could never fire would prove
    /// nothing, so a build without them refuses any other.
    pub fn parse(list: &str) -> Result<Self, String> {
        if list.trim().is_empty() {
            return Ok(Self::default());
        }
        Err("this build has no fail points; build it with `--features failpoints`".to_owned())
    }

    /// Passes.
    #[inline]
    #[expect(
        clippy::unused_async,
        reason = "with the feature on, a fail point may wait"
    )]
    pub async fn reach(&self, _name: &'static str) -> Result<(), Injected> {
        Ok(())
    }
}

/// Spawns `work` on `tracker`.
pub(crate) fn spawn<F>(tracker: &TaskTracker, work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tracker.spawn(work)
}
