//! The breaker of one call site: two ways to trip, two levels of refusal, one probe.
//!
//! ```text
//!            5 hard failures in a row, or under half               pause is over
//!            of 20 or more succeed in 10 s
//!   Closed ──────────────────────────────────────────▶ Open ──────────────────────▶ Probing
//!     ▲                                                 ▲                              │
//!     │                                                 └── it failed, or 429 ─────────┤
//!     └──────────────────────────────────────────────────── it succeeded ──────────────┘
//! ```
//!
//! An open breaker refuses retries. First tries still pass, because a breaker that is too eager
//! turns a partial failure into a whole one; only where under a tenth of 20 or more succeed does
//! it refuse them too. Each failed probe doubles the pause.
//!
//! 429 is a server that works and says no: it counts in the share, never in the row, and it fails a
//! probe. A permit that is dropped without a word counts for nothing, and a probe that is dropped
//! so leaves its place to the next caller.

mod machine;
#[cfg(test)]
mod tests;
mod window;

pub use machine::{Breaker, Permit, Policy, Sample, State, Try};
