//! Waiting until a server that starts answers.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// A first start in a container creates a cluster, which takes a slow machine 20 s, and a large
/// append-only file takes a while to load.
const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// A server that is starting accepts and says nothing for a moment.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(20);

/// Asks until there is an answer. The error is that of the last question.
pub(super) async fn until_it_answers<F, E>(ask: impl Fn() -> F + Send + Sync) -> Result<(), E>
where
    F: Future<Output = Result<(), E>> + Send,
    E: Send,
{
    let answers = async {
        while !matches!(timeout(ANSWER_TIMEOUT, ask()).await, Ok(Ok(()))) {
            sleep(POLL).await;
        }
    };
    if timeout(READY_TIMEOUT, answers).await.is_ok() {
        return Ok(());
    }
    // Once more, for the reason.
    ask().await
}
