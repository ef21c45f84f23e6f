//! One transaction for a batch of messages that the broker gave out for the first time.

use std::collections::HashSet;

use tokio::time::Instant;

use super::attempt::{Failure, Miss, attempt};
use super::backoff;
use super::desk::{Desk, Uncommitted};
use super::look::{insert, look, take_out};
use super::plan::{Key, Plan, key, plan};
use super::set_aside::{Why, quarantine, set_aside};
use super::trouble::Trouble;
use super::waiting::give_up;
use crate::domain::Message;
use crate::ledger::Tx;
use crate::telemetry::messages as metrics;

/// Why a batch came to nothing: all of it is rolled back.
#[derive(Debug)]
pub(super) enum Halt {
    /// Nobody's fault: wait, and do it again.
    Trouble(Trouble),
    /// One message failed: the others go on without it.
    Culprit(Key, Failure),
    /// One of several, and nobody knows which.
    Unclear(Failure),
}

impl<T: Into<Trouble>> From<T> for Halt {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

/// Applies `messages`, sorted by [`order`](super::plan::order), in one transaction. Returns those that
/// are done with; the others had no time, and are to be given again.
pub(super) async fn apply(desk: &Desk, messages: &[Message]) -> Result<HashSet<Key>, Halt> {
    let started = Instant::now();
    desk.points.reach("inbox.consume.before_begin").await?;
    let mut tx = desk.begin().await?;
    let looks = look(&mut tx, desk.name(), messages).await?;
    let mut plan = plan(messages, &looks);
    put_aside(desk, &mut tx, messages, &plan).await?;

    let next = pick(messages, &plan.next);
    let inserted = insert(&mut tx, desk.name(), next.iter().copied()).await?;
    desk.points.reach("inbox.consume.after_insert").await?;
    sort_out_late(messages, &mut plan, &inserted)?;

    let mut n_applied = 0;
    for message in pick(messages, &plan.next) {
        // Whoever is with a consumer for too long is given to another one.
        if desk.settings.redeliver_after / 2 < started.elapsed() && 0 < n_applied {
            break;
        }
        let patience = desk.settings.handler_timeout;
        let tried = attempt(desk.consumer.as_ref(), &mut tx, message, patience).await;
        tried.map_err(|it| match it {
            Miss::Trouble(trouble) => Halt::Trouble(trouble),
            Miss::Failure(failure) => Halt::Culprit(key(message), failure),
        })?;
        desk.points.reach("inbox.consume.after_apply").await?;
        n_applied += 1;
    }
    let left = plan.next.split_off(n_applied);
    if !left.is_empty() {
        take_out(&mut tx, desk.name(), pick(messages, &left)).await?;
    }
    desk.points.reach("inbox.consume.before_commit").await?;
    desk.commit_applied(tx).await.map_err(|it| match it {
        Uncommitted::Trouble(trouble) => Halt::Trouble(trouble),
        Uncommitted::Failure(failure) => match pick(messages, &plan.next).as_slice() {
            [only] => Halt::Culprit(key(only), failure),
            _ => Halt::Unclear(failure),
        },
    })?;
    count(desk, &plan);
    desk.changed.notify_one();
    desk.points.reach("inbox.consume.after_commit").await?;
    let had_no_time: HashSet<Key> = pick(messages, &left).into_iter().map(key).collect();
    let settled = messages.iter().map(key);
    Ok(settled.filter(|it| !had_no_time.contains(it)).collect())
}

/// Sets what came early aside, and makes dead letters of what nobody remembers.
async fn put_aside(
    desk: &Desk,
    tx: &mut Tx,
    messages: &[Message],
    plan: &Plan,
) -> Result<(), Trouble> {
    let early: Vec<_> = pick(messages, &plan.early)
        .into_iter()
        .map(|it| (it, 0))
        .collect();
    let gap = Why {
        reason: "gap",
        wait: desk.settings.gap_timeout,
        error: None,
    };
    set_aside(tx, desk.name(), &early, gap).await?;
    quarantine(tx, desk.name(), &pick(messages, &plan.quarantined)).await?;
    Ok(())
}

/// Takes those out that somebody else has applied between the look and the insert. Where another
/// message of the batch follows from one of them, everything is looked at anew.
fn sort_out_late(
    messages: &[Message],
    plan: &mut Plan,
    inserted: &HashSet<Key>,
) -> Result<(), Trouble> {
    let is_late = |place: &usize| {
        messages
            .get(*place)
            .is_some_and(|it| !inserted.contains(&key(it)))
    };
    let (late, next): (Vec<_>, Vec<_>) = plan.next.iter().copied().partition(is_late);
    let follows = |it: &&Message| {
        pick(messages, &late)
            .iter()
            .any(|late| it.previous == Some(late.id))
    };
    if pick(messages, &next).iter().any(follows) {
        return Err(Trouble::Changed);
    }
    plan.next = next;
    plan.absorbed.extend(late);
    Ok(())
}

/// Sets a message aside whose first attempt failed, in a transaction of its own: no attempt is lost,
/// and no other message waits for it.
pub(super) async fn fail(desk: &Desk, message: &Message, error: &str) -> Result<(), Trouble> {
    desk.points.reach("inbox.consume.before_set_aside").await?;
    let mut tx = desk.begin().await?;
    let failed = Why {
        reason: "failed",
        wait: backoff::wait(&desk.settings, 1),
        error: Some(error),
    };
    let kept = set_aside(&mut tx, desk.name(), &[(message, 1)], failed).await?;
    let is_last = desk.settings.attempts_max <= 1 && !kept.is_empty();
    if is_last {
        give_up::bury(
            &mut tx,
            desk.name(),
            &give_up::Grave::failed(key(message), 1, error),
        )
        .await?;
    }
    desk.commit(tx).await?;
    desk.points.reach("inbox.consume.after_set_aside").await?;
    metrics::failed(desk.name(), 1);
    metrics::given_up(desk.name(), u64::from(is_last));
    tracing::warn!(consumer = desk.name(), message.id = %message.id,
        trace = message.trace_id(), error, "apply a message");
    desk.changed.notify_one();
    Ok(())
}

/// Sets a message aside that only ever met trouble, so that the others get on. It costs no attempt.
pub(super) async fn postpone(desk: &Desk, message: &Message, error: &str) -> Result<(), Trouble> {
    let mut tx = desk.begin().await?;
    let postponed = Why {
        reason: "redelivered",
        wait: backoff::wait(&desk.settings, 1),
        error: Some(error),
    };
    set_aside(&mut tx, desk.name(), &[(message, 0)], postponed).await?;
    desk.commit(tx).await
}

fn count(desk: &Desk, plan: &Plan) {
    let n = |it: &[usize]| u64::try_from(it.len()).unwrap_or(u64::MAX);
    metrics::applied(desk.name(), n(&plan.next));
    metrics::absorbed(desk.name(), n(&plan.absorbed));
    metrics::early(desk.name(), n(&plan.early));
    metrics::given_up(desk.name(), n(&plan.quarantined));
    if !plan.quarantined.is_empty() {
        let n = plan.quarantined.len();
        tracing::warn!(
            consumer = desk.name(),
            n,
            "put messages aside that are below the horizon"
        );
    }
}

fn pick<'a>(messages: &'a [Message], places: &[usize]) -> Vec<&'a Message> {
    places.iter().filter_map(|it| messages.get(*it)).collect()
}
