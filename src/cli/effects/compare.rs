//! Counts and compares the books of a time range, all of them in one snapshot.

use std::time::Duration;

use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection as _, FromRow, PgConnection, Row as _};
use time::OffsetDateTime;

use super::differences::KINDS;
use crate::config::Secret;
use crate::domain::floor_id;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const COUNTS: &str = "
SELECT (SELECT count(*) FROM oncely.records
        WHERE operation = 'POST /charge' AND response_status = 201
            AND $1 <= created_at AND created_at < $2) AS operations,
    (SELECT count(*) FROM public.charges WHERE $1 <= created_at AND created_at < $2) AS charges,
    (SELECT count(*) FROM oncely.outbox_event AS e
     JOIN public.charges AS c ON c.tenant = e.tenant AND c.id = e.aggregate
     WHERE e.topic = 'charge.succeeded' AND $3 <= e.id AND e.id < $4
        AND $1 <= c.created_at AND c.created_at < $2) AS events";

const CONSUMERS: &str = "
SELECT o.consumer,
    count(*) FILTER (WHERE i.state = 'done') AS done,
    count(*) FILTER (WHERE i.state = 'discarded') AS discarded,
    count(*) FILTER (WHERE d.id IS NOT NULL OR i.state = 'dead') AS dead,
    count(*) FILTER (WHERE i.state IS NULL AND d.id IS NULL) AS on_the_way
FROM oncely.outbox_event AS e
JOIN public.charges AS c ON c.tenant = e.tenant AND c.id = e.aggregate
JOIN oncely.inbox_consumer AS o ON o.topic = e.topic AND o.since <= e.created_at
LEFT JOIN oncely.inbox AS i ON i.id = e.id AND i.tenant = e.tenant AND i.consumer = o.consumer
LEFT JOIN oncely.dead_letter AS d
    ON d.consumer IN (o.consumer, 'relay') AND d.id = e.id AND d.tenant = e.tenant AND d.state = 'dead'
WHERE e.topic = 'charge.succeeded' AND $3 <= e.id AND e.id < $4
    AND $1 <= c.created_at AND c.created_at < $2
GROUP BY o.consumer ORDER BY o.consumer";

/// Which operations are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) since: OffsetDateTime,
    pub(super) until: OffsetDateTime,
    /// How much later than its operation an event may be.
    pub(super) slack: Duration,
}

/// What a comparison came to.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    #[serde(with = "time::serde::rfc3339")]
    pub(super) since: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) until: OffsetDateTime,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) effects: Vec<Effects>,
    /// How many of each kind were found, those that are not listed among them.
    pub(super) differences: Vec<Difference>,
}

#[derive(Debug, Serialize, FromRow)]
pub(super) struct Counts {
    /// Records of charges that succeeded.
    pub(super) operations: i64,
    pub(super) charges: i64,
    pub(super) events: i64,
}

/// What one consumer has made of the events.
#[derive(Debug, Serialize, FromRow)]
pub(super) struct Effects {
    pub(super) consumer: String,
    pub(super) done: i64,
    pub(super) discarded: i64,
    pub(super) dead: i64,
    pub(super) on_the_way: i64,
}

/// One kind of difference, with whom it is about.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    pub(super) kind: &'static str,
    /// What that means.
    pub(super) meaning: &'static str,
    pub(super) items: Vec<Item>,
    /// Whether there are more than are listed.
    pub(super) has_more: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize, FromRow)]
pub(super) struct Item {
    pub(super) tenant: String,
    /// A charge, an event or a record, as the kind says.
    pub(super) id: String,
    pub(super) detail: String,
}

impl Verified {
    /// Whether nothing differs.
    pub(super) fn agrees(&self) -> bool {
        self.differences.is_empty()
    }
}

pub(super) async fn compare(
    url: &Secret,
    range: &Range,
    limit: u32,
    patience: Duration,
) -> sqlx::Result<Verified> {
    let mut connection = PgConnection::connect(url.expose()).await?;
    // Where we are cut off, the server ends the work by itself.
    let bound = format!("SET statement_timeout = {}", patience.as_millis().max(1));
    sqlx::raw_sql(AssertSqlSafe(bound))
        .execute(&mut connection)
        .await?;
    sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
    let verified = read(&mut connection, range, limit).await?;
    sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
    connection.close().await?;
    Ok(verified)
}

async fn read(connection: &mut PgConnection, range: &Range, limit: u32) -> sqlx::Result<Verified> {
    let ids = (floor_id(range.since), floor_id(range.until + range.slack));
    let counts = sqlx::query_as(COUNTS)
        .bind(range.since)
        .bind(range.until)
        .bind(ids.0)
        .bind(ids.1)
        .fetch_one(&mut *connection)
        .await?;
    let effects = sqlx::query_as(CONSUMERS)
        .bind(range.since)
        .bind(range.until)
        .bind(ids.0)
        .bind(ids.1)
        .fetch_all(&mut *connection)
        .await?;
    let mut differences = Vec::new();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    for kind in KINDS {
        let rows = sqlx::query(kind.statement)
            .bind(range.since)
            .bind(range.until)
            .bind(ids.0)
            .bind(ids.1)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
            .fetch_all(&mut *connection)
            .await?;
        let has_more = limit < rows.len();
        let items = rows.iter().take(limit).map(|row| {
            Ok(Item {
                tenant: row.try_get(0)?,
                id: row.try_get(1)?,
                detail: row.try_get(2)?,
            })
        });
        let items: Vec<Item> = items.collect::<sqlx::Result<_>>()?;
        if !items.is_empty() {
            differences.push(Difference {
                kind: kind.name,
                meaning: kind.meaning,
                items,
                has_more,
            });
        }
    }
    Ok(Verified {
        since: range.since,
        until: range.until,
        counts,
        effects,
        differences,
    })
}
