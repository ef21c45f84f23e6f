//! Oncely's protocols, explored as models and simulated under faults.
//!
//! `tests/it/model` and `tests/it/simulation` say what has to come out; this crate is how it comes
//! about. It is a package of its own because it is compiled with optimisation also where the tests are
//! not: a million states take seconds so, and minutes otherwise.
#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "states are arrays by request, and most matches name the one state that they are about"
)]

pub mod model;
pub mod protocol;
pub mod simulation;
