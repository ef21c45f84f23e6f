//! The record of one scoped key: what is known of its operation.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Fingerprint, Stored};

/// What a tier knows of one scoped key.
///
/// ```text
///   (none) ──acquire──▶ in progress ──complete──▶ completed ──retention──▶ (none)
///                            │
///                            └──release, crash, roll-back──▶ (none)
/// ```
///
/// In the ledger, "in progress" of a transactional operation is never committed: it is the open
/// transaction itself, seen only as a lock that is taken. That of a leased operation is committed
/// first, because its effects lie elsewhere; it never ends by itself, and where a call's end can't be
/// known it becomes "unknown" until somebody has looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What the first request asked for; `None` while nobody but its own transaction can see it.
    pub fingerprint: Option<Fingerprint>,
    /// How far the operation is.
    pub state: State,
}

/// How far an operation is, each state with what belongs to it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Somebody is working on it.
    InProgress {
        /// How long to wait before asking again.
        retry_after: Duration,
    },
    /// A call was sent whose end is not known, and nothing may be sent again until somebody looked.
    Unknown,
    /// It is done, and this is its answer.
    Completed {
        /// The answer.
        stored: Stored,
        /// When it was done, by the ledger's clock.
        completed_at: OffsetDateTime,
        /// Until when it is promised to replay, by the ledger's clock.
        expires_at: OffsetDateTime,
    },
}
