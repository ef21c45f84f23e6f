//! Named instants at which a test makes the process err, panic, hang, stop or die.
//!
//! A name says the instant: `store.transactional.after_commit`. Without the feature `failpoints`
//! there is no table, `reach` is empty, and a release binary holds no trace of either.
//!
//! The table belongs to one store, not to the process, so that tests run side by side. A child
//! process gets its table from `ONCELY_FAILPOINTS`, a comma-separated list of `name=action` with
//! the actions `error`, `panic`, `abort` (SIGKILL to itself), `hang` and `cancel` (the task that is
//! there is dropped). `POINTS` lists all names.

#[cfg(not(feature = "failpoints"))]
mod absent;
#[cfg(feature = "failpoints")]
mod points;
#[cfg(feature = "failpoints")]
mod table;
#[cfg(feature = "failpoints")]
mod task;

#[cfg(not(feature = "failpoints"))]
pub use absent::FailPoints;
#[cfg(not(feature = "failpoints"))]
pub(crate) use absent::spawn;
#[cfg(feature = "failpoints")]
pub use points::POINTS;
#[cfg(feature = "failpoints")]
pub use table::{Action, Arrival, FailPoints};
#[cfg(feature = "failpoints")]
pub(crate) use task::spawn;

/// An error that a test asked for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a test made `{0}` fail")]
pub struct Injected(pub &'static str);
