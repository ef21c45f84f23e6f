//! Why the store could not say what became of an operation, or could not run it.

use std::any::Any;

use crate::failpoint::Injected;
use crate::ledger;

/// An error of the store. Everything that a correct client can cause is an outcome instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing happened, and the same key may be sent again.
    #[error("the operation did not run")]
    Unavailable(#[source] ledger::Error),
    /// The handler took longer than the operation may take. Nothing happened.
    #[error("the operation took longer than it may, and was rolled back")]
    TimedOut,
    /// COMMIT was sent and no answer came. The same key tells the truth later.
    #[error("the outcome of the operation is not known")]
    OutcomeUnknown(#[source] ledger::Error),
    /// The handler panicked. Nothing happened.
    #[error("the handler panicked: {0}")]
    Panicked(String),
    /// A bug or a wrong setting. Nothing happened.
    #[error("the operation can't run")]
    Permanent(#[source] ledger::Error),
    /// There is a record, so the operation was done, but the record contradicts itself.
    #[error("the operation's record can't be read")]
    Corrupt(#[source] ledger::Error),
    /// The handler kept its transaction beyond its own end, so nothing could be committed.
    #[error("the handler's transaction was still in use after the handler had answered")]
    TransactionEscaped,
    /// A leased operation has begun, and this attempt could not bring it to its end. What is done is
    /// not done again: the same key goes on from there.
    #[error("the operation is not finished")]
    Unfinished(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A leased operation has no phases: a bug of whoever wrote it. Nothing happened.
    #[error("the operation has no phases")]
    NoPhases,
    /// A test made a step fail before COMMIT was sent.
    #[error("the operation did not run")]
    Injected(#[from] Injected),
}

impl Error {
    /// Wraps an error of the ledger by what the caller may do about it.
    pub(super) fn from_ledger(error: ledger::Error) -> Self {
        match error.class {
            ledger::Class::Transient => Self::Unavailable(error),
            ledger::Class::Indeterminate => Self::OutcomeUnknown(error),
            ledger::Class::Corrupt => Self::Corrupt(error),
            ledger::Class::Permanent => Self::Permanent(error),
        }
    }

    /// Takes the message out of a panic.
    pub(crate) fn from_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .map(|it| (*it).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "no message".to_owned()))
    }
}
