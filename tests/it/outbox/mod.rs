//! The outbox: what is enqueued, relayed, and found again where a broker lost it.

mod enqueue;
