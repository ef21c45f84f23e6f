//! What is going on: a bar for people, a line for each phase elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use crate::cli::output::complain;
use crate::storm::Progress;

const FORM: &str = "{spinner} {prefix}  [{bar:30}] {pos}/{len} orders  {elapsed}  {msg}";

/// Shows what is told, for ever.
pub(super) async fn show(mut progress: watch::Receiver<Progress>) {
    let bar = Bar(ProgressBar::with_draw_target(
        None,
        ProgressDrawTarget::stderr(),
    ));
    if let Ok(style) = ProgressStyle::with_template(FORM) {
        bar.0.set_style(style.progress_chars("=> "));
    }
    bar.0.enable_steady_tick(Duration::from_millis(200));
    let mut phase = "";
    loop {
        let now = progress.borrow_and_update().clone();
        if now.phase != phase {
            phase = now.phase;
            if bar.0.is_hidden() {
                complain(&format!("{phase} …\n"));
            }
        }
        bar.0
            .set_length(u64::try_from(now.n_planned).unwrap_or_default());
        bar.0
            .set_position(u64::try_from(now.n_done).unwrap_or_default());
        bar.0.set_prefix(phase);
        bar.0.set_message(now.now);
        if progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A bar that leaves the terminal as it was.
struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
