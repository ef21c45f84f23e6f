//! The outbox: what is enqueued, relayed, and found again where a broker lost it.

mod counted;
mod enqueue;
mod lease;
mod partitions;
mod plan;
mod reconcile;
mod relay;
mod world;
