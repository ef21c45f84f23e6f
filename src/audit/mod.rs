//! Reads the books and says what they show: what waits, what is stuck, and whether effects are operations.
//!
//! # Overview
//!
//! ```text
//!   gauges   every two seconds, in each process: backlog, dead letters, what holds its key for long
//!   tables   every 15 seconds, in each process: what grows, and whether retention is kept
//!   effects  every ten seconds, where events are relayed: operations against what came of them
//! ```
//!
//! It decides nothing and writes nothing. Each process asks for itself, on a connection of its own: a
//! value that only the relay knew would be gone with the relay, just when it is wanted.
//!
//! # What this does not promise
//!
//! An audit looks at the latest events alone, so that it stays cheap. It is there to page at once, not to
//! prove a whole month.

mod backlog;
mod effects;
mod open;
mod start;
mod tables;

pub use effects::Effect;
pub use start::Audit;
