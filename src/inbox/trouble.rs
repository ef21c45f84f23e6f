//! What stops work without being the fault of any message, told from what is.

use std::error::Error as StdError;
use std::time::Duration;

use crate::failpoint::Injected;
use crate::ledger;

/// The longest text of an error that is stored, in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// What stopped a step, and counts as nobody's attempt: wait, and do it again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error("ask the inbox")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Injected(#[from] Injected),
    #[error("the ledger did not answer within {0:?}")]
    Late(Duration),
    #[error("another worker changed the inbox in between")]
    Changed,
    #[error("the consumer met a trouble that passes")]
    Consumer(#[source] crate::inbox::ApplyError),
}

/// Whether an error, or what caused it, passes by itself: a lost connection, a server that restarts,
/// a standby, a full disk, a serialization failure, a deadlock.
pub(super) fn passes(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(it) = next {
        if let Some(driver) = it.downcast_ref::<sqlx::Error>() {
            return driver_passes(driver);
        }
        next = it.source();
    }
    false
}

/// The `SQLSTATE` somewhere in the chain of an error.
pub(super) fn sqlstate(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(it) = next {
        let driver = it.downcast_ref::<sqlx::Error>();
        if let Some(database) = driver.and_then(sqlx::Error::as_database_error) {
            return database.code().map(std::borrow::Cow::into_owned);
        }
        next = it.source();
    }
    None
}

/// An error with its causes, fit to be stored: without NUL, and of bounded length.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    storable(&text)
}

/// A text without what Postgres can't store, and of bounded length.
pub(super) fn storable(text: &str) -> String {
    let mut text = text.replace('\0', "\u{fffd}");
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.truncate(end);
    text
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's enum is open-ended"
)]
fn driver_passes(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| sqlstate_passes(&code))
        }
        _ => false,
    }
}

/// Serialization and deadlock; connections; an operator's or a crash's shutdown; resources and the
/// system below; a server that became a standby. A cancelled statement (57014) is one that took too
/// long, so it counts. Codes: PostgreSQL documentation, appendix A.
fn sqlstate_passes(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "25006")
        || code.starts_with("57P0")
        || ["08", "53", "58"].iter().any(|it| code.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reserve stock")]
    struct Wrapped(#[source] Box<dyn StdError + Send + Sync>);

    #[test]
    fn what_passes_is_found_anywhere_in_the_chain() {
        let wrapped = Wrapped(sqlx::Error::PoolTimedOut.into());
        assert!(passes(&wrapped));
        let io = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(passes(&Wrapped(sqlx::Error::Io(io()).into())));
        // A payload that can't be unpacked is an error of this kind too, and never passes.
        assert!(!passes(&Wrapped(io().into())));
        assert!(!passes(&Wrapped("no such item".into())));
        assert!(!passes(&Wrapped(sqlx::Error::RowNotFound.into())));
    }

    #[test]
    fn a_fault_of_the_message_does_not_pass() {
        for code in [
            "40001", "40P01", "08006", "57P01", "57P03", "53100", "25006",
        ] {
            assert!(sqlstate_passes(code), "{code}");
        }
        for code in [
            "23505", "22003", "57014", "25P02", "25P03", "42P01", "40002",
        ] {
            assert!(!sqlstate_passes(code), "{code}");
        }
    }

    #[test]
    fn a_chain_is_told_whole_and_can_be_stored() {
        let error = Wrapped(Box::new(Wrapped("sku \0 is gone".into())));
        assert_eq!(
            chain(&error),
            "reserve stock: reserve stock: sku \u{fffd} is gone"
        );
        assert_eq!(storable(&"ü".repeat(TEXT_BYTES_MAX)).len(), TEXT_BYTES_MAX);
    }
}
