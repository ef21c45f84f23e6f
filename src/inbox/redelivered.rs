//! What the broker gives out again: set aside before anything is done, so that its attempts count even
//! where the last one took the process with it.

use std::collections::HashMap;
use std::time::Duration;

use super::desk::Desk;
use super::plan::{Key, key};
use super::set_aside::{Why, quarantine, set_aside};
use super::trouble::Trouble;
use crate::domain::Message;
use crate::telemetry::messages as metrics;

/// Takes over messages that were given out before: the inbox knows those that were applied, and the
/// others are set aside with the attempt that did not end.
pub(super) async fn take_over(desk: &Desk, again: &[(Message, u32)]) -> Result<(), Trouble> {
    let mut attempts: HashMap<Key, (&Message, i32)> = HashMap::new();
    for (message, n_deliveries) in again {
        // One attempt at most: a delivery that nobody received is counted by the broker too, and once
        // a message is set aside it is we who count.
        let before = i32::from(1 < *n_deliveries);
        let entry = attempts.entry(key(message)).or_insert((message, before));
        entry.1 = entry.1.max(before);
    }
    let messages: Vec<(&Message, i32)> = attempts.into_values().collect();
    let bare: Vec<&Message> = messages.iter().map(|it| it.0).collect();

    desk.points.reach("inbox.redelivered.before_begin").await?;
    let mut tx = desk.begin().await?;
    let quarantined = quarantine(&mut tx, desk.name(), &bare).await?;
    let redelivered = Why {
        reason: "redelivered",
        wait: Duration::ZERO,
        error: None,
    };
    let kept = set_aside(&mut tx, desk.name(), &messages, redelivered).await?;
    desk.points.reach("inbox.redelivered.before_commit").await?;
    desk.commit(tx).await?;
    desk.points.reach("inbox.redelivered.after_commit").await?;

    let n_absorbed = messages.len() - kept.len() - quarantined.len();
    metrics::absorbed(desk.name(), u64::try_from(n_absorbed).unwrap_or(u64::MAX));
    metrics::given_up(
        desk.name(),
        u64::try_from(quarantined.len()).unwrap_or(u64::MAX),
    );
    desk.changed.notify_one();
    Ok(())
}
