//! One call of a consumer: bounded in time, its panics caught, its errors told apart.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use super::consumer::{ApplyError, Consumer};
use super::trouble::{self, Trouble};
use crate::domain::Message;
use crate::ledger::Tx;

/// Why a call came to nothing. The transaction may be in the middle of something: drop it.
#[derive(Debug)]
pub(super) enum Miss {
    /// Nobody's fault.
    Trouble(Trouble),
    /// The message's, or the consumer's: it counts as an attempt.
    Failure(Failure),
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Refused(String),
    #[error("the consumer panicked: {0}")]
    Panicked(String),
    #[error("the consumer took longer than {0:?}")]
    TookTooLong(Duration),
    #[error(
        "the consumer passed over an error of the database: its transaction can't be committed"
    )]
    PassedOver,
    #[error("the commit was refused: {0}")]
    CommitRefused(String),
}

/// Has `consumer` apply `message` within `patience`.
pub(super) async fn attempt(
    consumer: &dyn Consumer,
    tx: &mut Tx,
    message: &Message,
    patience: Duration,
) -> Result<(), Miss> {
    // The call itself may panic as well, before it has a future to show.
    let call = AssertUnwindSafe(async { consumer.apply(tx, message).await }).catch_unwind();
    match timeout(patience, call).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(miss(error)),
        Ok(Err(panic)) => Err(Miss::Failure(Failure::Panicked(words(panic.as_ref())))),
        Err(_elapsed) => Err(Miss::Failure(Failure::TookTooLong(patience))),
    }
}

fn miss(error: ApplyError) -> Miss {
    if trouble::passes(error.as_ref()) {
        return Miss::Trouble(Trouble::Consumer(error));
    }
    Miss::Failure(Failure::Refused(trouble::chain(error.as_ref())))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    trouble::storable(text.unwrap_or("without words"))
}
