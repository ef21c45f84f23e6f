//! The simulation: many keys at once, under virtual time, with faults drawn from one seed.
//!
//! Its requests take the same steps as those of the models, and callers retry by the client's own
//! classification, backoff and budget. It goes on where a model has to stop: hundreds of keys, many
//! attempts, processes that die with all their requests, pauses of half a minute, leases and trust
//! windows by the clock, relays and consumers behind. First with faults; then these end, and every
//! operation has to end with the truth. Everything is drawn from the seed, in one thread: the same seed
//! is the same run.

mod callers;
mod check;
mod faults;
mod messages;
mod requests;
mod run;
mod world;

pub use faults::Faults;
pub use run::{Plan, Report, simulate};
