//! Shows dead letters whole, with what people decided about them.

use std::collections::BTreeMap;

use bytes::Bytes;
use sqlx::Row;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::decide::{Key, answer};
use super::error::Error;
use super::find::Summary;
use crate::ledger::Ledger;

const LETTERS: &str = "
SELECT consumer, tenant, id, topic, kind, aggregate, seq, reason, attempts, error, dead_at, state,
    previous, headers::text AS headers, payload, created_at
FROM oncely.dead_letter
WHERE id = $1 AND ($2::text IS NULL OR consumer = $2)
ORDER BY consumer, tenant";

const AUDIT: &str = "
SELECT consumer, tenant, at, action, who, why
FROM oncely.dead_letter_audit
WHERE id = $1 AND ($2::text IS NULL OR consumer = $2)
ORDER BY entry";

/// A dead letter, whole, whatever was decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which, why, and since when.
    pub summary: Summary,
    /// `dead`, `redriven` or `discarded`.
    pub state: String,
    /// The aggregate's event before it; `None` for the first.
    pub previous: Option<Uuid>,
    /// Text by name, such as `traceparent`.
    pub headers: BTreeMap<String, String>,
    /// The event itself, byte for byte.
    pub payload: Bytes,
    /// When the event was enqueued, by the database's clock.
    pub created_at: OffsetDateTime,
    /// What people decided, the oldest first.
    pub audit: Vec<Decision>,
}

/// What somebody decided about a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// When, by the database's clock.
    pub at: OffsetDateTime,
    /// What.
    pub action: Action,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

/// What can be decided about a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To try it again.
    Redrive,
    /// To give it up for good.
    Discard,
}

impl Action {
    /// Its name, as it stands in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Discard => "discard",
        }
    }
}

/// The letters of event `id`, of `consumer` only where one is given.
pub async fn show(
    ledger: &Ledger,
    id: Uuid,
    consumer: Option<&str>,
) -> Result<Vec<DeadLetter>, Error> {
    let mut reader = answer(ledger.reader()).await?;
    let query = sqlx::query(LETTERS).bind(id).bind(consumer);
    let rows = answer(query.fetch_all(&mut *reader)).await?;
    let query = sqlx::query(AUDIT).bind(id).bind(consumer);
    let audit = answer(query.fetch_all(&mut *reader)).await?;
    reader.finish();
    rows.iter().map(|row| letter(row, &audit)).collect()
}

fn letter(row: &PgRow, audit: &[PgRow]) -> Result<DeadLetter, Error> {
    let key = Key {
        consumer: row.try_get("consumer")?,
        tenant: row.try_get("tenant")?,
        id: row.try_get("id")?,
    };
    let headers = serde_json::from_str(row.try_get("headers")?).map_err(|cause| Error::Odd {
        id: key.id,
        why: format!("its headers: {cause}"),
    })?;
    let mut decisions = Vec::new();
    for entry in audit {
        let consumer: &str = entry.try_get("consumer")?;
        let tenant: &str = entry.try_get("tenant")?;
        if (consumer, tenant) == (&key.consumer, &key.tenant) {
            decisions.push(decision(entry)?);
        }
    }
    Ok(DeadLetter {
        state: row.try_get("state")?,
        previous: row.try_get("previous")?,
        headers,
        payload: row.try_get::<Vec<u8>, _>("payload")?.into(),
        created_at: row.try_get("created_at")?,
        audit: decisions,
        summary: Summary {
            key,
            topic: row.try_get("topic")?,
            kind: row.try_get("kind")?,
            aggregate: row.try_get("aggregate")?,
            seq: row.try_get("seq")?,
            reason: row.try_get("reason")?,
            attempts: row.try_get("attempts")?,
            error: row.try_get("error")?,
            dead_at: row.try_get("dead_at")?,
        },
    })
}

fn decision(entry: &PgRow) -> Result<Decision, Error> {
    let action = match entry.try_get("action")? {
        "redrive" => Action::Redrive,
        _ => Action::Discard,
    };
    Ok(Decision {
        at: entry.try_get("at")?,
        action,
        who: entry.try_get("who")?,
        why: entry.try_get("why")?,
    })
}
