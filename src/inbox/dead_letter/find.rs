//! Finds dead letters that nobody has decided about.

use time::OffsetDateTime;
use uuid::Uuid;

use super::decide::{Key, answer};
use super::error::Error;
use crate::ledger::Ledger;

/// The letters that fit a filter.
macro_rules! matching {
    () => {
        "
FROM oncely.dead_letter
WHERE state = 'dead'
    AND ($1::text IS NULL OR consumer = $1)
    AND ($2::text IS NULL OR topic = $2)
    AND ($3::text IS NULL OR tenant = $3)
    AND ($4::text IS NULL OR reason = $4)
    AND (cardinality($5::uuid[]) = 0 OR id = ANY($5))
    AND ($6::timestamptz IS NULL OR $6 <= dead_at)
    AND ($7::timestamptz IS NULL OR dead_at < $7)"
    };
}

const LIST: &str = concat!(
    "SELECT consumer, tenant, id, topic, kind, aggregate, seq, reason, attempts, error, dead_at",
    matching!(),
    "
ORDER BY dead_at, consumer, id, tenant
LIMIT $8"
);

const COUNT: &str = concat!("SELECT count(*)", matching!());

/// Which letters. All that is given has to fit; the default takes every letter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Whose; `relay` where no broker took it.
    pub consumer: Option<String>,
    /// The topic's name.
    pub topic: Option<String>,
    /// The tenant's name.
    pub tenant: Option<String>,
    /// `failed`, `killed`, `quarantined` or `unpublishable`.
    pub reason: Option<String>,
    /// One of these events; all where there is none.
    pub ids: Vec<Uuid>,
    /// Given up at this instant or later, by the database's clock.
    pub since: Option<OffsetDateTime>,
    /// Given up before this instant.
    pub until: Option<OffsetDateTime>,
}

/// A dead letter without its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Which.
    pub key: Key,
    /// Where its event was published.
    pub topic: String,
    /// What its event is about: the kind of the aggregate.
    pub kind: String,
    /// And which one.
    pub aggregate: String,
    /// Which of the aggregate's events it is, from 1.
    pub seq: i64,
    /// `failed`, `killed`, `quarantined` or `unpublishable`.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// The last error with its causes.
    pub error: String,
    /// When it was given up, by the database's clock.
    pub dead_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct Row {
    consumer: String,
    tenant: String,
    id: Uuid,
    topic: String,
    kind: String,
    aggregate: String,
    seq: i64,
    reason: String,
    attempts: i32,
    error: String,
    dead_at: OffsetDateTime,
}

/// The oldest letters that fit, at most `limit`.
pub async fn list(ledger: &Ledger, filter: &Filter, limit: u32) -> Result<Vec<Summary>, Error> {
    let mut reader = answer(ledger.reader()).await?;
    let query = sqlx::query_as(LIST)
        .bind(&filter.consumer)
        .bind(&filter.topic)
        .bind(&filter.tenant)
        .bind(&filter.reason)
        .bind(&filter.ids)
        .bind(filter.since)
        .bind(filter.until)
        .bind(i64::from(limit));
    let rows: Vec<Row> = answer(query.fetch_all(&mut *reader)).await?;
    reader.finish();
    Ok(rows.into_iter().map(Summary::from).collect())
}

/// How many letters fit.
pub async fn count(ledger: &Ledger, filter: &Filter) -> Result<u64, Error> {
    let mut reader = answer(ledger.reader()).await?;
    let query = sqlx::query_scalar(COUNT)
        .bind(&filter.consumer)
        .bind(&filter.topic)
        .bind(&filter.tenant)
        .bind(&filter.reason)
        .bind(&filter.ids)
        .bind(filter.since)
        .bind(filter.until);
    let n: i64 = answer(query.fetch_one(&mut *reader)).await?;
    reader.finish();
    Ok(u64::try_from(n).unwrap_or(0))
}

impl From<Row> for Summary {
    fn from(row: Row) -> Self {
        Self {
            key: Key {
                consumer: row.consumer,
                tenant: row.tenant,
                id: row.id,
            },
            topic: row.topic,
            kind: row.kind,
            aggregate: row.aggregate,
            seq: row.seq,
            reason: row.reason,
            attempts: row.attempts,
            error: row.error,
            dead_at: row.dead_at,
        }
    }
}
