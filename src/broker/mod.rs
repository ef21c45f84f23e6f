//! The seam to a message broker: one trait, and one conformance suite that each broker has to pass.
//!
//! What we ask of a broker is little: it takes messages, gives each group of consumers every message
//! at least once, and gives again what was not acknowledged. It may lose what it had acknowledged, as
//! long as it shows ([`Epoch`]) that it may have; what it loses without a word is found by comparing
//! the outbox with the inbox.

mod epoch;
mod error;
#[cfg(feature = "testkit")]
mod memory;
mod redis_streams;
mod seam;

pub use epoch::{Change, Epoch};
pub use error::{Error, Refused};
#[cfg(feature = "testkit")]
pub use memory::Memory;
pub use redis_streams::{NotDurable, RedisStreams, Unfit};
pub use seam::{Broker, Delivery, Durability, Lag, Malformed, Receipt, Subscription};
