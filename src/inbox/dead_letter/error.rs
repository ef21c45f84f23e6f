//! What can go wrong with dead letters.

use uuid::Uuid;

use crate::ledger;

/// Nothing was decided or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger could not be used.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// A statement failed.
    #[error("ask for dead letters")]
    Database(#[from] sqlx::Error),
    /// The ledger did not answer.
    #[error("the ledger did not answer in time")]
    Late,
    /// An event that no broker took is no longer in the outbox, so it can't be published again.
    #[error("event {0} is no longer in the outbox: it can't be published again, only discarded")]
    EventGone(Uuid),
    /// A row that this version did not write.
    #[error("the dead letter {id} can't be read: {why}")]
    Odd {
        /// Which.
        id: Uuid,
        /// What is wrong with it.
        why: String,
    },
}
