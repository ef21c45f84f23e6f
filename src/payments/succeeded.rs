//! What all consumers of `charge.succeeded` begin with.

use super::{CHARGE_SUCCEEDED, ChargeSucceeded};
use crate::domain::{Message, Topic};

/// The payload is not what the topic promises.
#[derive(Debug, thiserror::Error)]
#[error("the payload is no ChargeSucceeded")]
pub(super) struct Unreadable(#[source] serde_json::Error);

pub(super) fn topic() -> Topic {
    Topic::new(CHARGE_SUCCEEDED).expect("invariant: the constant is a topic")
}

pub(super) fn read(message: &Message) -> Result<ChargeSucceeded, Unreadable> {
    serde_json::from_slice(&message.payload).map_err(Unreadable)
}
