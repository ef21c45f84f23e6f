//! Oncely makes a payment API effectively-once: a Redis hot path in front of a Postgres ledger.
//!
//! The floors of the house, ground first. A room uses its own floor and those below it, never one
//! above; `tests/it/tidy.rs` holds the floors up.

#![cfg_attr(docsrs, feature(doc_cfg))]

// 0. Words and decisions, pure.
pub mod domain;

// 1. Tools that know nothing of the domain.
pub mod clock;
pub mod failpoint;
#[cfg(any(feature = "cli", feature = "testkit"))]
pub mod servers;
pub mod shutdown;

// Beside the house: real servers for tests.
#[cfg(feature = "testkit")]
pub mod testkit;
