//! The outbox: what happened, told in the transaction in which it happened.
//!
//! # Overview
//!
//! ```text
//!   enqueue   in the operation's transaction: one row in outbox_event, one in outbox_pending
//!   relay     leases shards, claims what is pending, publishes, settles
//!   reconcile looks for events that the inbox does not have, and makes them pending again
//! ```
//!
//! # Order
//!
//! Within an aggregate, by a dense sequence that is counted while the aggregate is locked. Across
//! aggregates there is none.

mod aggregate;
mod broker_watch;
mod chores;
mod claim;
mod enqueue;
mod error;
mod event;
mod failure;
mod forget;
mod gate;
pub mod inspect;
mod lanes;
mod lease;
mod pace;
mod partitions;
mod pump;
mod reconcile;
mod relay;
mod settle;
mod slice;
mod wake;

pub use aggregate::LockedAggregate;
#[cfg(feature = "testkit")]
pub use claim::statements;
pub use enqueue::enqueue;
pub use error::EnqueueError;
pub use event::{Event, HEADERS_BYTES_MAX, PAYLOAD_BYTES_MAX};
pub use relay::Relay;
pub use wake::announce;
