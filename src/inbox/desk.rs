//! What the parts of one consumer share, and how its transactions begin and end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::attempt::Failure;
use super::consumer::Consumer;
use super::trouble::{self, Trouble};
use crate::config;
use crate::failpoint::FailPoints;
use crate::ledger::{Class, Ledger, Tx};

/// How long any one statement of ours may take before its connection is given up. Longer than the
/// server's own statement timeout, which says more.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the parts of one consumer share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) ledger: Ledger,
    pub(super) consumer: Arc<dyn Consumer>,
    pub(super) settings: config::Inbox,
    pub(super) points: FailPoints,
    /// Told when a message was applied or set aside: something in waiting may be due.
    pub(super) changed: Arc<Notify>,
}

/// How a transaction did not end.
#[derive(Debug)]
pub(super) enum Uncommitted {
    /// Nobody knows whether it did, or it will when tried again.
    Trouble(Trouble),
    /// It was refused for what was written, and would be again.
    Failure(Failure),
}

impl Desk {
    pub(super) fn name(&self) -> &'static str {
        self.consumer.name()
    }

    pub(super) async fn begin(&self) -> Result<Tx, Trouble> {
        match timeout(PATIENCE, self.ledger.begin()).await {
            Ok(begun) => Ok(begun?),
            Err(_elapsed) => Err(Trouble::Late(PATIENCE)),
        }
    }

    /// Commits what only we have written.
    pub(super) async fn commit(&self, tx: Tx) -> Result<(), Trouble> {
        match timeout(PATIENCE, self.ledger.commit(tx)).await {
            Ok(committed) => Ok(committed?),
            Err(_elapsed) => Err(Trouble::Late(PATIENCE)),
        }
    }

    /// Commits what a consumer has written too.
    ///
    /// Asks the server first: a COMMIT after an error that the consumer has passed over is answered
    /// like any other and rolls back, and what was never done would be acknowledged.
    pub(super) async fn commit_applied(&self, mut tx: Tx) -> Result<(), Uncommitted> {
        let asked = answer(async { sqlx::query("SELECT 1").execute(&mut *tx).await }).await;
        if let Err(trouble) = asked {
            return Err(match trouble::sqlstate(&trouble).as_deref() {
                Some("25P02") => Uncommitted::Failure(Failure::PassedOver),
                Some(_) | None => Uncommitted::Trouble(trouble),
            });
        }
        match timeout(PATIENCE, self.ledger.commit(tx)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                // A constraint that is checked at COMMIT would be violated again.
                let code = trouble::sqlstate(&error);
                let is_violation = code.is_some_and(|it| it.starts_with("23"));
                Err(if is_violation || error.class == Class::Permanent {
                    Uncommitted::Failure(Failure::CommitRefused(trouble::chain(&error)))
                } else {
                    Uncommitted::Trouble(error.into())
                })
            }
            Err(_elapsed) => Err(Uncommitted::Trouble(Trouble::Late(PATIENCE))),
        }
    }
}

/// Waits for the answer of a statement of ours, with bounded patience.
pub(super) async fn answer<T>(
    statement: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, Trouble> {
    match timeout(PATIENCE, statement).await {
        Ok(answered) => Ok(answered?),
        Err(_elapsed) => Err(Trouble::Late(PATIENCE)),
    }
}
