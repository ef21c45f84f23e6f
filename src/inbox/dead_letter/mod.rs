//! Dead letters: what was given up, for people to look at and decide.
//!
//! ```text
//!   dead ──redrive──▶ redriven     in waiting again, its attempts start anew; relay: pending again
//!     └────discard──▶ discarded    the inbox says so, and what waited for it goes on
//! ```
//!
//! A letter is decided about under its row's lock, so two people who decide at once do it once; each
//! decision is written down with who and why, in the same transaction.

mod decide;
mod discard;
mod error;
mod find;
mod redrive;
mod show;

pub use decide::Key;
pub use discard::discard;
pub use error::Error;
pub use find::{Filter, Summary, count, list};
pub use redrive::redrive;
pub use show::{Action, DeadLetter, Decision, show};
