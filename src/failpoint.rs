//! Named instants at which a test makes the process err, panic, hang, stop or die.
//!
//! A name says the instant: `store.transactional.after_commit`. Without the feature `failpoints`
//! there is no table, `reach` is empty, and a release binary holds no trace of either.
//!
//! The table belongs to one store, not to the process, so that tests run side by side. A child
//! process gets its table from `ONCELY_FAILPOINTS`, a comma-separated list of `name=action` with
//! the actions `error`, `panic`, `abort` (SIGKILL to itself) and `hang`.

/// An error that a test asked for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a test made `{0}` fail")]
pub struct Injected(pub &'static str);

/// The fail points of one store. Cloning shares the table.
#[derive(Debug, Clone, Default)]
pub struct FailPoints {
    #[cfg(feature = "failpoints")]
    table: table::Table,
}

#[cfg(not(feature = "failpoints"))]
impl FailPoints {
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

#[cfg(feature = "failpoints")]
pub use table::{Action, Arrival};

#[cfg(feature = "failpoints")]
mod table {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex, PoisonError};

    use tokio::sync::oneshot;

    use super::{FailPoints, Injected};

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
    pub(super) struct Table(Arc<Mutex<HashMap<String, Action>>>);

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
        pub fn parse(text: &str) -> Result<Self, String> {
            let points = Self::default();
            for pair in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
                let (name, action) = pair.split_once('=').ok_or_else(|| pair.to_owned())?;
                let action = match action {
                    "error" => Action::Error,
                    "panic" => Action::Panic,
                    "abort" => Action::Abort,
                    "hang" => Action::Hang,
                    _ => return Err(pair.to_owned()),
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
                Some(Action::Wait { arrived, go }) => {
                    // Either end may be dropped: then nobody waits, and the step goes on.
                    arrived.send(()).ok();
                    go.await.ok();
                    Ok(())
                }
            }
        }
    }

    fn die() -> ! {
        use nix::sys::signal::{Signal, raise};
        // SIGKILL cannot be refused; the loop only satisfies the type.
        raise(Signal::SIGKILL).ok();
        std::process::abort()
    }
}

#[cfg(all(test, feature = "failpoints"))]
#[expect(clippy::disallowed_methods, reason = "tests spawn freely")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_point_does_what_was_asked_once() {
        let points = FailPoints::parse("a.before=error, b.after=panic").unwrap();
        assert!(points.reach("a.before").await.is_err());
        assert!(
            points.reach("a.before").await.is_ok(),
            "an action happens once"
        );
        let other = points.clone();
        let panicked = tokio::task::spawn(async move { other.reach("b.after").await }).await;
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
        assert_eq!(FailPoints::parse("a=explode").unwrap_err(), "a=explode");
        assert_eq!(FailPoints::parse("a").unwrap_err(), "a");
    }
}
