//! A TCP proxy in our own process that fails in the ways networks fail, on command: for tests and
//! for `oncely storm`.
//!
//! It stands in front of any server, keeps its port for its whole life, and is told what to do by
//! method calls that have taken effect when they return. Whoever uses it therefore waits for events,
//! not for time:
//!
//! | call | new connections | open connections |
//! |---|---|---|
//! | [`Proxy::pass`] | forwarded | go on |
//! | [`Proxy::delay`] | forwarded | each piece is held back, in both directions |
//! | [`Proxy::refuse`] | refused | go on |
//! | [`Proxy::cut`] | refused | reset |
//! | [`Proxy::sever`] | forwarded | reset, once |
//! | [`Proxy::lead_to`] | forwarded to another server | reset, once |
//! | [`Proxy::blackhole`] | accepted, swallowed | swallowed in both directions, never closed |
//! | [`Proxy::eat_replies`] | requests arrive | requests arrive, replies are swallowed |
//!
//! A connection of which bytes were swallowed is reset when the mode changes: no network loses bytes
//! from the middle of a connection that goes on.
//!
//! [`Proxy::cut_before`], [`Proxy::cut_after`] and [`Proxy::cut_after_bytes`] cut one connection
//! once, at a certain byte. For the two ways to lose a COMMIT there are
//! [`Proxy::cut_before_commit`] and [`Proxy::cut_after_commit`].

pub(crate) mod address;
mod connection;
mod control;
mod trigger;

pub use control::Proxy;
pub use trigger::{Direction, Fired};
