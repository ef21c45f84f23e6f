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

mod consumer;

pub use consumer::{ApplyError, Consumer};
