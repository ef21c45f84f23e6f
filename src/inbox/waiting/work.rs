//! One attempt at a message in waiting, in one transaction.

use sqlx::PgConnection;

use super::claim::Claimed;
use crate::inbox::attempt::{Failure, Miss, attempt};
use crate::inbox::desk::{Desk, Uncommitted, answer};
use crate::inbox::look::insert;
use crate::inbox::plan::key;
use crate::inbox::trouble::Trouble;
use crate::ledger::Tx;

/// Nobody has claimed it since. Also locks the row: a worker that comes late waits, and finds nothing.
const LEAVE: &str = "
DELETE FROM oncely.inbox_waiting AS w USING oncely.inbox_horizon AS h
WHERE w.consumer = $1 AND w.id = $2 AND w.tenant = $3 AND w.attempts = $4
RETURNING w.id < h.id";

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Its effect is committed.
    Applied,
    /// It was in the inbox already: its row in waiting is gone, and nothing else was done.
    Absorbed,
    /// Another worker has it, or had it.
    NotOurs,
    /// It counts.
    Failed(Failure),
    /// It does not.
    Trouble(Trouble),
}

/// Tries a message that was claimed.
pub(super) async fn work(desk: &Desk, claimed: &Claimed) -> Ended {
    match try_it(desk, claimed).await {
        Ok(ended) => ended,
        Err(trouble) => Ended::Trouble(trouble),
    }
}

async fn try_it(desk: &Desk, claimed: &Claimed) -> Result<Ended, Trouble> {
    desk.points.reach("inbox.waiting.after_count").await?;
    let mut tx = desk.begin().await?;
    let Some(is_below) = leave(&mut tx, desk.name(), claimed).await? else {
        return Ok(Ended::NotOurs);
    };
    // Below the horizon the row in waiting is itself the proof that it was not applied.
    let is_new = is_below
        || !insert(&mut tx, desk.name(), [&claimed.message])
            .await?
            .is_empty();
    if is_new {
        let (message, patience) = (&claimed.message, desk.settings.handler_timeout);
        match attempt(desk.consumer.as_ref(), &mut tx, message, patience).await {
            Ok(()) => (),
            Err(Miss::Trouble(trouble)) => return Err(trouble),
            Err(Miss::Failure(failure)) => return Ok(Ended::Failed(failure)),
        }
        desk.points.reach("inbox.waiting.after_apply").await?;
    }
    end(desk, tx, is_new).await
}

async fn end(desk: &Desk, tx: Tx, is_new: bool) -> Result<Ended, Trouble> {
    desk.points.reach("inbox.waiting.before_commit").await?;
    match desk.commit_applied(tx).await {
        Ok(()) => (),
        Err(Uncommitted::Trouble(trouble)) => return Err(trouble),
        Err(Uncommitted::Failure(failure)) => return Ok(Ended::Failed(failure)),
    }
    desk.points.reach("inbox.waiting.after_commit").await?;
    Ok(if is_new {
        Ended::Applied
    } else {
        Ended::Absorbed
    })
}

/// Takes the row out of waiting, and says whether it is below the horizon; `None` where it is not this
/// attempt's any more.
async fn leave(
    connection: &mut PgConnection,
    consumer: &str,
    claimed: &Claimed,
) -> Result<Option<bool>, Trouble> {
    let (id, tenant) = key(&claimed.message);
    let query = sqlx::query_scalar(LEAVE)
        .bind(consumer)
        .bind(id)
        .bind(tenant)
        .bind(claimed.attempts);
    answer(query.fetch_optional(connection)).await
}
