//! Leased operations: those whose effects lie outside Postgres, such as a call to a card processor.
//!
//! # Overview
//!
//! ```text
//!   latch     Redis     as for a transactional operation
//!   acquire   Postgres  INSERT the claim, or take over one whose lease is over; COMMIT
//!   write     Postgres  a phase's own statements and its recovery point; COMMIT
//!   call      outside   with a key that was stored before; then COMMIT what came back
//!   …
//!   complete  Postgres  the last phase's statements and the answer, in one transaction; COMMIT
//!   publish   Redis     only after that COMMIT was acknowledged
//! ```
//!
//! Between each two there is a fail point. While all this goes on, a heartbeat renews the lease.
//!
//! # Fencing
//!
//! Each write says which attempt makes it. Whoever was taken over finds zero rows, which is "lease
//! lost", and everything in that transaction is rolled back with it. Nothing here depends on a lease
//! being long enough: a lease that ends early costs an attempt and no truth.
//!
//! # A call without an answer
//!
//! It may have been done. Where the other side tells repeats by our key, it is sent again, by this
//! attempt or a later one, with the same key. Where it does not, the record becomes "unknown" and
//! nothing is sent until an operator has looked. An attempt that comes to a phase whose key is stored
//! can't know whether its predecessor sent it, and takes it for sent.
//!
//! # What this does not promise
//!
//! That the other side does tell repeats, where it says so; and that it remembers keys for as long as
//! somebody may resend, which for an abandoned operation is until the rescuer gets to it.

mod acquire;
mod advance;
mod call;
mod complete;
mod drive;
mod operation;
mod registry;
mod release;
mod renew;
mod rescue;
mod run;
mod write;

pub(in crate::store) use registry::Registry;
pub(in crate::store) use rescue::start as start_rescuer;

pub use operation::{Called, Context, LeasedOperation, Phase, PhaseError, Written};
pub use registry::Leased;
