//! Which history of the ledger an answer belongs to.

/// The ledger's epoch: a hot answer of another epoch is stale by definition.
///
/// After a fail-over or a restore, a commit may be missing that Redis still has an answer for.
/// Binding each answer to the epoch keeps such a ghost from being replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// Our own number, raised by `oncely ledger new-epoch` after a restore.
    pub number: i64,
    /// Postgres' timeline, raised by each promotion; 0 where it can't be read.
    pub timeline: u32,
}
