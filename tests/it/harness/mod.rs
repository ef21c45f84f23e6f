//! What the tests of the service stand on: an app on real servers, a caller, and the books.

mod app;
mod books;
mod caller;
mod liar;
mod process;
mod raw;
mod recipe;
mod storm;
mod traces;
mod variant;

pub(crate) use app::{App, migrated};
pub(crate) use caller::{Caller, Reply, charge_body};
pub(crate) use liar::lie;
pub(crate) use process::Process;
pub(crate) use raw::head;
pub(crate) use recipe::{Recipe, RedisChoice};
pub(crate) use storm::storm;
pub(crate) use traces::{n_undelivered, redis_at, shared_redis};
pub(crate) use variant::{VARIANTS, Variant};

use std::future::Future;
use std::time::Duration;

/// How long one test may take before it is called stuck.
const PATIENCE: Duration = Duration::from_mins(3);

/// How often something is looked at that has no signal to wait for.
const GLANCE: Duration = Duration::from_millis(10);

/// Runs a test's body on a runtime with two threads, and calls it stuck where it does not end.
pub(crate) fn run(body: impl Future<Output = ()>) {
    run_for(PATIENCE, body);
}

/// The same, for a test that has more to do.
pub(crate) fn run_for(patience: Duration, body: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(patience, Box::pin(body)).await });
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert!(ended.is_ok(), "the test was not done after {patience:?}");
}

/// Waits until `is_so`, where the other side gives no signal. The test's patience ends the wait.
pub(crate) async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    while !is_so().await {
        tokio::time::sleep(GLANCE).await;
    }
}
