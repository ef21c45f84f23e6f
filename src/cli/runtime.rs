//! The runtime that a serving command runs in, and the signals that end it.

use std::future::Future;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::output::complain;
use crate::shutdown::Tasks;

/// Runs a command on all cores.
pub(super) fn block_on(command: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(command)
}

/// Ends at the first SIGINT or SIGTERM. Both are caught from the call on, not from the first poll.
/// The second one ends the process at once: an open transaction is rolled back by the server.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let (first, stopped) = oneshot::channel();
    Tasks::default().spawn(async move {
        let mut first = Some(first);
        loop {
            tokio::select! {
                _ = interrupt.recv() => (),
                _ = terminate.recv() => (),
            }
            match first.take() {
                // Nobody may be waiting any more; then the process ends anyway.
                Some(first) => first.send(()).unwrap_or_default(),
                None => end_at_once(),
            }
        }
    });
    Ok(async move { stopped.await.unwrap_or_default() })
}

#[expect(clippy::exit, reason = "asked for a second time")]
fn end_at_once() -> ! {
    complain("stopped at once\n");
    std::process::exit(130)
}
