//! What can stop a ledger operation, classified once, where the driver's error is met.

use std::error::Error as StdError;
use std::fmt;

/// What the ledger was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Opening the pool.
    Connect,
    /// Starting a transaction.
    Begin,
    /// Claiming a key.
    Acquire,
    /// Reading a record.
    LookUp,
    /// Storing an answer.
    Complete,
    /// Committing.
    Commit,
    /// Rolling back.
    Rollback,
    /// Reading or raising the epoch.
    Epoch,
    /// Prolonging a lease.
    Renew,
    /// Committing a recovery point.
    Advance,
    /// Ending a lease.
    Release,
    /// Noting that nobody knows.
    MarkUnknown,
    /// Writing down what an operator found.
    Resolve,
    /// Deleting expired records.
    Prune,
    /// Checking the server before serving.
    Check,
    /// Migrating the schema.
    Migrate,
    /// Looking for an operator.
    Inspect,
}

/// What the caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It did not happen; try again.
    Transient,
    /// It may have happened; look before deciding.
    Indeterminate,
    /// What is stored contradicts our invariants; stop.
    Corrupt,
    /// A bug or a wrong setting; stop.
    Permanent,
}

/// An error of the ledger, with its cause.
#[derive(Debug, thiserror::Error)]
#[error("{operation} on the ledger")]
pub struct Error {
    /// What the ledger was doing.
    pub operation: Operation,
    /// What the caller may do.
    pub class: Class,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

/// A row that the state machine forbids.
#[derive(Debug, thiserror::Error)]
#[error("oncely.records has a row whose {column} contradicts its state")]
pub(super) struct Inconsistent {
    pub(super) column: &'static str,
}

impl Error {
    pub(super) fn new(
        operation: Operation,
        class: Class,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            operation,
            class,
            source: source.into(),
        }
    }

    /// Classifies a driver's error for one operation.
    pub(super) fn driver(operation: Operation) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::new(operation, classify(operation, &source), source)
    }

    /// COMMIT was sent, and for this reason its answer is not known.
    pub(crate) fn commit_unanswered(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Operation::Commit, Class::Indeterminate, source)
    }

    /// A look at what is there failed.
    pub(crate) fn inspect(source: sqlx::Error) -> Self {
        Self::driver(Operation::Inspect)(source)
    }

    pub(super) fn corrupt(operation: Operation, column: &'static str) -> Self {
        Self::new(operation, Class::Corrupt, Inconsistent { column })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Begin => "begin",
            Self::Acquire => "acquire",
            Self::LookUp => "look up",
            Self::Complete => "complete",
            Self::Commit => "commit",
            Self::Rollback => "roll back",
            Self::Epoch => "read the epoch",
            Self::Renew => "renew a lease",
            Self::Advance => "advance",
            Self::Release => "release a lease",
            Self::MarkUnknown => "mark as unknown",
            Self::Resolve => "resolve",
            Self::Prune => "prune",
            Self::Check => "check",
            Self::Migrate => "migrate",
            Self::Inspect => "inspect",
        })
    }
}

/// Says what an error means for the transaction that met it.
///
/// At COMMIT, only a violated constraint (class 23) or a failed serialization (class 40) says for
/// sure that nothing was committed. A connection that broke may have broken on the way back, and
/// an administrator's termination (57P01) during the wait for a standby comes after the commit.
/// Source: measured, `docs/guarantees.md`; codes: PostgreSQL documentation, appendix A.
fn classify(operation: Operation, error: &sqlx::Error) -> Class {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let sqlstate_class = code.as_deref().and_then(|it| it.get(..2));
    match (operation, sqlstate_class) {
        // Statement completion unknown: class 40, and no roll-back for sure.
        (Operation::Commit, _) if code.as_deref() == Some("40003") => Class::Indeterminate,
        (Operation::Commit, Some("23" | "40")) => Class::Transient,
        (Operation::Commit, _) => Class::Indeterminate,
        // Nothing was sent yet, whatever the server says: a standby, a server that is starting.
        (Operation::Begin, _) => Class::Transient,
        // A time-out ended the transaction; all else of class 25 is a statement of ours or of the
        // handler that failed before, and would fail again.
        (_, Some("25")) if code.as_deref() == Some("25P03") => Class::Transient,
        (_, Some(it)) => sqlstate(it),
        (_, None) => without_sqlstate(error),
    }
}

/// Connection, serialization, resources, limits, locks, operator, system: the server's state.
fn sqlstate(class: &str) -> Class {
    match class {
        "08" | "40" | "53" | "54" | "55" | "57" | "58" => Class::Transient,
        _ => Class::Permanent,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's enum is open-ended"
)]
fn without_sqlstate(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::Configuration(_)
        | sqlx::Error::TypeNotFound { .. } => Class::Permanent,
        _ => Class::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_lost_at_commit_leaves_the_outcome_open() {
        let broken = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(classify(Operation::Commit, &broken()), Class::Indeterminate);
        assert_eq!(classify(Operation::Complete, &broken()), Class::Transient);
        assert_eq!(
            classify(Operation::Begin, &sqlx::Error::PoolTimedOut),
            Class::Transient
        );
    }

    #[test]
    fn the_cause_is_kept() {
        let error = Error::driver(Operation::Begin)(sqlx::Error::PoolTimedOut);
        assert_eq!(error.to_string(), "begin on the ledger");
        let cause = StdError::source(&error).unwrap();
        assert!(cause.downcast_ref::<sqlx::Error>().is_some());
    }
}
