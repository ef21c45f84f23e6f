//! What can go wrong with a broker: with all of it, or with one message.

use std::error::Error as StdError;

/// The broker did not do what it was asked for. It says nothing about any one message, so it costs
/// none of them an attempt: wait, and ask again.
#[derive(Debug, thiserror::Error)]
#[error("the broker can't {operation}")]
pub struct Error {
    /// What it was asked for, such as `publish`.
    pub operation: &'static str,
    #[source]
    cause: Box<dyn StdError + Send + Sync>,
}

/// The broker took the others and refuses this very message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker refuses the message: {0}")]
pub struct Refused(pub String);

impl Error {
    /// An error of `operation`, with its cause.
    pub fn new(operation: &'static str, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            operation,
            cause: cause.into(),
        }
    }
}
