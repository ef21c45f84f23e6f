//! The value of a record's key: somebody's latch, or the answer that the ledger has committed.

use time::OffsetDateTime;

use crate::domain::{Epoch, Fingerprint, Stored};

/// What Redis holds for one record: a [`Latch`], a [`Completed`], or, read back, either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<C = Content> {
    /// The history of the ledger that this belongs to, as it was known **before** the commit.
    pub epoch: Epoch,
    /// What the request asked for.
    pub fingerprint: Fingerprint,
    /// How far the operation is.
    pub content: C,
}

/// How far an operation is, as far as Redis knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Somebody said that they work on it.
    Latch(Latch),
    /// It was done.
    Completed(Completed),
}

/// The mark of one attempt that is working on the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latch {
    /// Whose it is: a random UUID (v4) for each attempt.
    pub token: [u8; 16],
    /// When the attempt began, by its own machine's clock.
    pub started_at: OffsetDateTime,
    /// Which attempt it is, counted from 1.
    pub attempt: u32,
}

/// An answer that the ledger has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// The answer.
    pub stored: Stored,
    /// When it was done, by the ledger's clock.
    pub completed_at: OffsetDateTime,
    /// Until when it is promised to replay, by the ledger's clock.
    pub expires_at: OffsetDateTime,
}
