//! What somebody writes who wants to act on events.

use std::error::Error as StdError;

use futures_util::future::BoxFuture;

use crate::domain::{Message, Topic};
use crate::ledger::Tx;

/// Why a message could not be applied. What Postgres calls transient (a lost connection, a
/// serialization failure, a deadlock: find the `sqlx::Error` in the chain) is tried again and does
/// not count; everything else counts as an attempt.
pub type ApplyError = Box<dyn StdError + Send + Sync>;

/// Acts on the events of one topic.
pub trait Consumer: Send + Sync + 'static {
    /// Its name: lower-case letters, digits, `.`, `_` and `-`, at most 63, and not `relay`. It names
    /// the group at the broker and the rows in the inbox, so it never changes.
    fn name(&self) -> &'static str;

    /// What it listens to.
    fn topic(&self) -> Topic;

    /// Applies one message: writes through `tx`, and nothing else. The writes are committed together
    /// with the inbox row, so their effect is once for each message. It may enqueue events of its
    /// own. It may run again after an error, a panic, or a crash; what it wrote then is rolled back.
    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ApplyError>>;
}
