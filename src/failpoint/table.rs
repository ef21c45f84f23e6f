//! The table of what a test has asked for, and what happens when a point is reached.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::task::cancel_own;
use super::{Injected, POINTS};

/// What happens at a fail point, once.
#[derive(Debug)]
pub enum Action {
    /// The step fails.
    Error,
    /// The step panics.
    Panic,
    /// The process kills itself with SIGKILL: no destructor runs, no buffer is flushed.
    Abort,
    /// The step never returns.
    Hang,
    /// The task that the step is in is dropped there, as its owner's abort or the end of a shutdown's
    /// patience would drop it.
    Cancel,
    /// The step says that it has arrived and waits until it is let go.
    Wait {
        /// Told on arrival.
        arrived: oneshot::Sender<()>,
        /// The step goes on when this is told or dropped.
        go: oneshot::Receiver<()>,
    },
}

/// A test's end of [`Action::Wait`].
#[derive(Debug)]
pub struct Arrival {
    arrived: oneshot::Receiver<()>,
    go: oneshot::Sender<()>,
}

#[derive(Debug, Clone, Default)]
struct Table(Arc<Mutex<HashMap<String, Action>>>);

/// The fail points of one store. Cloning shares the table.
#[derive(Debug, Clone, Default)]
pub struct FailPoints {
    table: Table,
}

impl Arrival {
    /// Waits until the step has arrived; false where it never will.
    pub async fn arrived(&mut self) -> bool {
        (&mut self.arrived).await.is_ok()
    }

    /// Lets the step go on.
    pub fn release(self) {
        // The step may be gone already: then there is nothing to let go.
        self.go.send(()).ok();
    }
}

impl FailPoints {
    /// Reads `name=action` pairs, as they stand in `ONCELY_FAILPOINTS`.
    pub fn parse(list: &str) -> Result<Self, String> {
        let points = Self::default();
        for pair in list.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            let (name, action) = pair.split_once('=').ok_or_else(|| wrong(pair))?;
            if !POINTS.contains(&name) {
                return Err(format!("`{name}` is not the name of a fail point"));
            }
            let action = match action {
                "error" => Action::Error,
                "panic" => Action::Panic,
                "abort" => Action::Abort,
                "hang" => Action::Hang,
                "cancel" => Action::Cancel,
                _ => return Err(wrong(pair)),
            };
            points.arm(name, action);
        }
        Ok(points)
    }

    /// Makes `action` happen the next time that `name` is reached.
    pub fn arm(&self, name: impl Into<String>, action: Action) {
        let mut table = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.insert(name.into(), action);
    }

    /// Whether `name` was not reached yet since it was armed.
    pub fn is_armed(&self, name: &str) -> bool {
        let table = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.contains_key(name)
    }

    /// Stops the next step that reaches `name`, until the returned end lets it go.
    pub fn hold(&self, name: impl Into<String>) -> Arrival {
        let (arrived_tx, arrived) = oneshot::channel();
        let (go, go_rx) = oneshot::channel();
        self.arm(
            name,
            Action::Wait {
                arrived: arrived_tx,
                go: go_rx,
            },
        );
        Arrival { arrived, go }
    }

    /// Does what a test asked for at `name`, or passes.
    pub async fn reach(&self, name: &'static str) -> Result<(), Injected> {
        let action = self
            .table
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        match action {
            None => Ok(()),
            Some(Action::Error) => Err(Injected(name)),
            #[expect(clippy::panic, reason = "a test asked for it")]
            Some(Action::Panic) => panic!("a test made `{name}` panic"),
            Some(Action::Abort) => die(),
            Some(Action::Hang) => std::future::pending().await,
            Some(Action::Cancel) => {
                cancel_own().await;
                #[expect(
                    clippy::panic,
                    reason = "a test that asks for what can't be done is wrong"
                )]
                {
                    panic!("`{name}` is reached outside of the store's own tasks")
                }
            }
            Some(Action::Wait { arrived, go }) => {
                // Either end may be dropped: then nobody waits, and the step goes on.
                arrived.send(()).ok();
                go.await.ok();
                Ok(())
            }
        }
    }
}

fn wrong(pair: &str) -> String {
    format!("`{pair}` is not `name=error`, `=panic`, `=abort`, `=hang` or `=cancel`")
}

fn die() -> ! {
    use nix::sys::signal::{Signal, raise};
    // SIGKILL cannot be refused; the loop only satisfies the type.
    raise(Signal::SIGKILL).ok();
    std::process::abort()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test joins what it spawns")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_point_does_what_was_asked_once() {
        let points =
            FailPoints::parse("store.prune.before_batch=error, store.prune.after_batch=panic")
                .unwrap();
        assert!(points.reach("store.prune.before_batch").await.is_err());
        assert!(
            points.reach("store.prune.before_batch").await.is_ok(),
            "an action happens once"
        );
        let other = points.clone();
        let panicked =
            tokio::task::spawn(async move { other.reach("store.prune.after_batch").await }).await;
        assert!(panicked.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn a_held_point_waits_to_be_released() {
        let points = FailPoints::default();
        let mut arrival = points.hold("a");
        let step = tokio::task::spawn({
            let points = points.clone();
            async move { points.reach("a").await }
        });
        assert!(arrival.arrived().await);
        assert!(!step.is_finished());
        arrival.release();
        assert!(step.await.unwrap().is_ok());
    }

    #[test]
    fn a_wrong_list_is_named() {
        for (wrong, named) in [
            ("store.prune.before_batch=explode", "=explode"),
            ("a", "`a`"),
            ("=", "``"),
            ("store.prune.before_batch=error, a", "`a`"),
            ("store.prune.in_between=error", "store.prune.in_between"),
        ] {
            let text = FailPoints::parse(wrong).unwrap_err();
            assert!(text.contains(named), "{text}");
        }
    }

    #[tokio::test]
    async fn a_cancelled_task_is_dropped_at_the_point_and_says_so() {
        let points = FailPoints::default();
        points.arm("a", Action::Cancel);
        let tracker = tokio_util::task::TaskTracker::new();
        let (alive, dropped) = oneshot::channel::<()>();
        let work = {
            let points = points.clone();
            async move {
                let _alive = alive;
                points.reach("a").await.ok();
            }
        };
        let ended = crate::failpoint::spawn(&tracker, work).await;
        assert!(ended.unwrap_err().is_cancelled());
        assert!(dropped.await.is_err(), "what the task held is dropped");
        assert!(!points.is_armed("a"));
    }
}
