//! Asks whether the broker is still the one that acknowledged our messages.

use std::collections::BTreeSet;

use super::failure::Failure;
use super::gate::Gate;
use crate::broker::{Change, Epoch};
use crate::domain::Topic;
use crate::ledger::Ledger;
use crate::telemetry::messages;

const READ: &str = "SELECT epoch FROM oncely.outbox_broker WHERE broker = $1";

const WRITE: &str = "
INSERT INTO oncely.outbox_broker AS it (broker, epoch, seen_at) VALUES ($1, $2, now())
ON CONFLICT (broker) DO UPDATE SET epoch = excluded.epoch, seen_at = excluded.seen_at";

const TOPICS: &str = "SELECT DISTINCT topic FROM oncely.inbox_consumer";

/// What the broker looks like now, and whether it may have lost messages.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) epoch: Epoch,
    /// What changed; `None` where nothing did, or where this is the first look.
    pub(super) change: Option<Change>,
    is_new: bool,
}

/// The topics that somebody listens to.
pub(super) async fn topics(ledger: &Ledger) -> Result<BTreeSet<Topic>, Failure> {
    let mut reader = ledger.reader().await?;
    let names: Vec<String> = sqlx::query_scalar(TOPICS).fetch_all(&mut *reader).await?;
    reader.finish();
    Ok(names
        .into_iter()
        .filter_map(|it| Topic::new(it).ok())
        .collect())
}

/// Looks at the broker, and compares it with what was written down.
pub(super) async fn look(
    ledger: &Ledger,
    gate: &Gate,
    topics: &BTreeSet<Topic>,
) -> Result<Seen, Failure> {
    let mut reader = ledger.reader().await?;
    let written = sqlx::query_scalar(READ).bind(gate.broker.name());
    let written: Option<String> = written.fetch_optional(&mut *reader).await?;
    reader.finish();
    let earlier: Option<Epoch> = written.map(|it| serde_json::from_str(&it)).transpose()?;
    // A topic that is not asked for would look as if it had gone.
    let known = earlier.iter().flat_map(|it| it.topics.keys());
    let known = known.filter_map(|it| Topic::new(it.as_str()).ok());
    let topics: BTreeSet<Topic> = known.chain(topics.iter().cloned()).collect();
    let topics: Vec<Topic> = topics.into_iter().collect();
    let epoch = gate.epoch(&topics).await?;
    let change = earlier.as_ref().and_then(|it| epoch.change_since(it));
    if let Some(change) = &change {
        messages::broker_changed();
        let change = change as &dyn std::error::Error;
        tracing::warn!(change, "the broker may have lost messages");
    }
    let is_new = earlier.as_ref() != Some(&epoch);
    Ok(Seen {
        epoch,
        change,
        is_new,
    })
}

/// Writes down what the broker looks like. Only once everything that it may have lost is pending
/// again: a crash before that finds the change once more.
pub(super) async fn remember(ledger: &Ledger, gate: &Gate, seen: &Seen) -> Result<(), Failure> {
    if !seen.is_new {
        return Ok(());
    }
    let epoch = serde_json::to_string(&seen.epoch)?;
    let mut tx = ledger.begin().await?;
    let write = sqlx::query(WRITE).bind(gate.broker.name()).bind(epoch);
    write.execute(&mut *tx).await?;
    Ok(ledger.commit(tx).await?)
}
