//! The inbox: each consumer applies each message once, whatever the broker loses or repeats.
//!
//! # Overview
//!
//! ```text
//!   receive     from the broker; what came again is set aside first, so that its attempts count
//!   insert      into oncely.inbox: what is there already is a duplicate, absorbed
//!   apply       the consumer's own writes, in the same transaction
//!   commit
//!   acknowledge only now
//! ```
//!
//! What fails, comes again or comes early waits in `oncely.inbox_waiting` and is applied from there,
//! where no broker can lose it and each attempt is counted before the work. After
//! `inbox.attempts_max` attempts it is a dead letter, for people to decide about: [`dead_letter`].
//!
//! # Order
//!
//! Within an aggregate: a message is applied only when the one before it, which it names, is done with
//! or was discarded. Across aggregates there is none.
//!
//! # Failure
//!
//! Trouble that is nobody's fault (a lost connection, a deadlock, a server that restarts) counts as
//! nobody's attempt. After a commit whose outcome is unknown nothing is acknowledged: the same is done
//! again, and the inbox says what is left to do. Delivery is at-least-once, the effect is
//! effectively-once.

mod attempt;
mod backoff;
mod batch;
mod consumer;
pub mod dead_letter;
mod desk;
mod gauges;
mod look;
pub mod plan;
mod predecessor;
mod receive;
mod redelivered;
mod register;
mod runner;
mod set_aside;
mod trouble;
mod waiting;

pub use futures_util::future::BoxFuture;

pub use consumer::{ApplyError, Consumer};
pub use register::{RegisterError, register};
pub use runner::Runner;
