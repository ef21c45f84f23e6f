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
mod enqueue;
mod error;
mod event;

pub use aggregate::LockedAggregate;
pub use enqueue::enqueue;
pub use error::EnqueueError;
pub use event::{Event, HEADERS_BYTES_MAX, PAYLOAD_BYTES_MAX};
