//! The history checker: what clients saw and what the tables hold, held against the promise.
//!
//! A run is written down as [`Event`]s, in the order in which they happened: every request when it
//! is sent ([`Event::Invoke`]) and when it is answered or given up, and at the end what the tables
//! hold. [`check()`] reads them once and returns each breach of the promise as a [`Violation`] that
//! names the key, the lines of the log, and what it means.
//!
//! A key is a **register that is written once**: whoever executes writes it, everybody else reads
//! what was written. Registers are independent of each other, and a register that is written once
//! needs no search through orders of events, so a log of any length is checked in one pass:
//!
//! 1. A key has one effect at most.
//! 2. All answers of a key are the same bytes, and they are the ones that the ledger holds.
//! 3. An answer that says "done" has an effect, and the effect of the very same request.
//! 4. A key is executed once: nobody executes after somebody was answered.
//! 5. Two different requests are never both answered under one key; who was told "mismatch" had
//!    another request before him.
//! 6. An effect has a request that can have caused it: not one that was refused, was told that
//!    somebody else is at it, or was a mismatch. An answer that refuses has no effect.
//! 7. A run of 409s of which nobody is the cause any more ends within a bound.
//! 8. The books agree: one event for each effect, and each consumer applied each event once.
//!
//! A request that was not answered, or was answered with "nobody knows", may have had its effect or
//! not. That is what makes the rules true under faults.

mod books;
mod check;
mod event;
mod gather;
mod in_flight;
mod log;
mod register;
mod violation;

pub use check::{Expect, Report, check};
pub use event::{Answer, Event, Verdict, digest};
pub use log::{Log, LogError, read, write};
pub use violation::{Rule, Violation};
