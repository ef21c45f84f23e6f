//! Oncely makes a payment API effectively-once: a Redis hot path in front of a Postgres ledger.
//!
//! The floors of the house, ground first. A room uses its own floor and those below it, never one
//! above; `tests/it/tidy.rs` holds the floors up.

// 0. Words and decisions, pure.
pub mod domain;

// 1. Tools that know nothing of the domain.
pub mod breaker;
pub mod clock;
pub mod failpoint;
#[cfg(any(feature = "cli", feature = "testkit"))]
pub mod servers;
pub mod shutdown;

// 2. Settings, one section per file; what the process says of itself.
pub mod config;
pub mod telemetry;

// 3. Redis, the hot path, which decides nothing; Postgres, the authority.
pub mod hot;
pub mod ledger;

// 4. The two tiers as one.
pub mod store;

// 6. The idempotency layer for axum.
pub mod http;

// 7. The payment path, as a user would write it.
pub mod payments;

// 8. Wiring; what an operator types.
#[cfg(feature = "cli")]
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;

// Beside the house: real servers for tests.
#[cfg(feature = "testkit")]
pub mod testkit;
