//! What follows from an attempt that did not apply its message. Each is fenced by the attempt's number.

use std::time::Duration;

use super::claim::Claimed;
use super::give_up::{Grave, bury};
use crate::inbox::backoff;
use crate::inbox::desk::{Desk, answer};
use crate::inbox::plan::key;
use crate::inbox::trouble::Trouble;

const POSTPONE: &str = "
UPDATE oncely.inbox_waiting
SET reason = 'failed', last_error = $5, ready_at = clock_timestamp() + $6 * interval '1 second'
WHERE consumer = $1 AND id = $2 AND tenant = $3 AND attempts = $4";

const UNCOUNT: &str = "
UPDATE oncely.inbox_waiting
SET attempts = attempts - 1, ready_at = clock_timestamp() + $5 * interval '1 second'
WHERE consumer = $1 AND id = $2 AND tenant = $3 AND attempts = $4";

/// The attempt failed: tries again after a while, or gives up where it was the last one. Says whether
/// it gave up.
pub(super) async fn failed(desk: &Desk, claimed: &Claimed, error: &str) -> Result<bool, Trouble> {
    let n = u32::try_from(claimed.attempts).unwrap_or(u32::MAX);
    let key = key(&claimed.message);
    desk.points.reach("inbox.waiting.before_settle").await?;
    let mut tx = desk.begin().await?;
    let is_last = desk.settings.attempts_max <= n;
    let is_dead = if is_last {
        bury(
            &mut tx,
            desk.name(),
            &Grave::failed(key, claimed.attempts, error),
        )
        .await?
    } else {
        let wait = backoff::wait(&desk.settings, n);
        let query = sqlx::query(POSTPONE)
            .bind(desk.name())
            .bind(key.0)
            .bind(key.1)
            .bind(claimed.attempts)
            .bind(error)
            .bind(wait.as_secs_f64());
        answer(query.execute(&mut *tx)).await?;
        false
    };
    if is_dead {
        desk.points.reach("inbox.dead_letter.before_commit").await?;
    }
    desk.commit(tx).await?;
    desk.points.reach("inbox.waiting.after_settle").await?;
    if is_dead {
        desk.points.reach("inbox.dead_letter.after_commit").await?;
    }
    Ok(is_dead)
}

/// Its last attempt never ended. Says whether there is a dead letter now.
pub(super) async fn killed(desk: &Desk, claimed: &Claimed) -> Result<bool, Trouble> {
    let mut error = "its last attempt never ended".to_owned();
    if let Some(before) = &claimed.last_error {
        error.push_str("; before that: ");
        error.push_str(before);
    }
    let grave = Grave {
        key: key(&claimed.message),
        attempts: claimed.attempts,
        reason: "killed",
        n_attempts: i32::try_from(desk.settings.attempts_max).unwrap_or(i32::MAX),
        error: &error,
    };
    let mut tx = desk.begin().await?;
    let is_dead = bury(&mut tx, desk.name(), &grave).await?;
    desk.commit(tx).await?;
    Ok(is_dead)
}

/// The attempt met trouble that is nobody's fault: it does not count.
pub(super) async fn uncount(desk: &Desk, claimed: &Claimed, wait: Duration) -> Result<(), Trouble> {
    let (id, tenant) = key(&claimed.message);
    let mut tx = desk.begin().await?;
    let query = sqlx::query(UNCOUNT)
        .bind(desk.name())
        .bind(id)
        .bind(tenant)
        .bind(claimed.attempts)
        .bind(wait.as_secs_f64());
    answer(query.execute(&mut *tx)).await?;
    desk.commit(tx).await
}
