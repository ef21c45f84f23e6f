//! Why an event was not enqueued. The operation's transaction is to be rolled back then.

use super::event::{HEADERS_BYTES_MAX, PAYLOAD_BYTES_MAX};

/// Why an event was not enqueued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The payload is larger than any event may be.
    #[error("the payload has {0} bytes, and at most {PAYLOAD_BYTES_MAX} are taken")]
    PayloadTooLarge(usize),
    /// The headers are larger than any event's may be.
    #[error("the headers have more than {HEADERS_BYTES_MAX} bytes")]
    HeadersTooLarge,
    /// A header holds a NUL, which Postgres can't store as text.
    #[error("a header holds a NUL")]
    NulInHeader,
    /// The payload can't be written as JSON.
    #[error("the payload can't be written as JSON")]
    Unserializable(#[source] serde_json::Error),
    /// The aggregate's events go to another topic.
    #[error(
        "the aggregate's events go to the topic {0}; give events of another topic a kind of their own"
    )]
    OtherTopic(String),
    /// The aggregate was not as its lock says: it was to be new and is not, or the lock belongs to
    /// another transaction.
    #[error("the aggregate has other events already, or was locked in another transaction")]
    NotLocked,
    /// The database refused.
    #[error("write the event")]
    Database(#[from] sqlx::Error),
}
