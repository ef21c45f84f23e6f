//! What an operator sees of the outbox: the backlog as a whole, events in a list, one event whole.

use std::time::Duration;

use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use tokio::time::timeout;
use uuid::Uuid;

use crate::domain::time_of_id;
use crate::ledger::{self, Ledger};

/// The most that one look may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many pending events are counted one by one; beyond it, a number is only "that many and more".
pub const COUNTED_MAX: i64 = 1_000_000;

const BACKLOG: &str = "
SELECT (SELECT count(*) FROM (SELECT FROM oncely.outbox_pending LIMIT $1) AS counted) AS pending,
    (SELECT count(*) FROM (
        SELECT FROM oncely.outbox_pending WHERE 0 < attempts LIMIT $1) AS counted) AS refused,
    (SELECT extract(epoch FROM clock_timestamp() - min(e.created_at))::float8
     FROM (SELECT id FROM oncely.outbox_pending ORDER BY id LIMIT 1) AS p
     JOIN oncely.outbox_event AS e ON e.id = p.id) AS lag_seconds,
    (SELECT before FROM oncely.outbox_confirmed) AS confirmed_before";

const SHARDS: &str = "
SELECT shard, owner_name, fence,
    CASE WHEN clock_timestamp() < lease_until
        THEN extract(epoch FROM lease_until - clock_timestamp())::float8 END AS lease_seconds
FROM oncely.outbox_shard ORDER BY shard";

const CONSUMERS: &str = "
SELECT c.consumer, c.topic,
    (SELECT count(*) FROM oncely.inbox_waiting AS w
     WHERE w.consumer = c.consumer AND w.topic = c.topic) AS waiting,
    (SELECT count(*) FROM oncely.dead_letter AS d
     WHERE d.consumer = c.consumer AND d.topic = c.topic AND d.state = 'dead') AS dead
FROM oncely.inbox_consumer AS c ORDER BY c.consumer, c.topic";

const LIST: &str = "
SELECT e.id, e.tenant, e.topic, e.kind, e.aggregate, e.seq, e.created_at,
    p.id IS NOT NULL AS is_pending, coalesce(p.attempts, 0)::int4 AS attempts, p.last_error,
    (SELECT count(*) FROM oncely.inbox_consumer AS c WHERE c.topic = e.topic) AS owed,
    (SELECT count(*) FROM oncely.inbox_consumer AS c
     JOIN oncely.inbox AS i ON i.consumer = c.consumer AND i.id = e.id AND i.tenant = e.tenant
     WHERE c.topic = e.topic AND i.state <> 'dead') AS had,
    EXISTS (SELECT FROM oncely.dead_letter AS d
        WHERE d.id = e.id AND d.tenant = e.tenant AND d.state = 'dead') AS is_dead
FROM oncely.outbox_event AS e
LEFT JOIN oncely.outbox_pending AS p
    ON p.shard = e.shard AND p.position = e.position AND p.tenant = e.tenant
WHERE ($1::text IS NULL OR e.topic = $1) AND ($2::text IS NULL OR e.tenant = $2)
    AND ($3::text IS NULL OR e.aggregate = $3) AND ($4::uuid IS NULL OR e.id = $4)
    AND (NOT $5 OR p.id IS NOT NULL)
    AND ($7::uuid IS NULL OR e.id >= $7) AND ($8::uuid IS NULL OR e.id < $8)
ORDER BY e.id DESC LIMIT $6";

const CONTENT: &str = "
SELECT headers::text, payload, previous
FROM oncely.outbox_event WHERE id = $1 AND tenant = $2";

const DELIVERIES: &str = "
SELECT c.consumer,
    CASE WHEN i.state IS NOT NULL THEN i.state
         WHEN d.state = 'dead' THEN 'dead'
         WHEN w.id IS NOT NULL THEN 'waiting (' || w.reason || ')'
         ELSE 'not yet' END AS state,
    i.at, w.attempts, coalesce(w.last_error, d.error) AS last_error
FROM oncely.inbox_consumer AS c
LEFT JOIN oncely.inbox AS i ON i.id = $1 AND i.tenant = $2 AND i.consumer = c.consumer
LEFT JOIN oncely.inbox_waiting AS w ON w.id = $1 AND w.tenant = $2 AND w.consumer = c.consumer
LEFT JOIN oncely.dead_letter AS d
    ON d.id = $1 AND d.tenant = $2 AND d.consumer = c.consumer AND d.state = 'dead'
WHERE c.topic = $3 ORDER BY c.consumer";

/// The outbox as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Events that no broker has yet, counted up to [`COUNTED_MAX`].
    pub pending: i64,
    /// Those of them that the broker has refused at least once.
    pub refused: i64,
    /// Age of the oldest pending event in seconds, by the database's clock.
    pub lag_seconds: Option<f64>,
    /// Every event from before this instant is confirmed by each of its consumers.
    #[serde(with = "time::serde::rfc3339")]
    pub confirmed_before: OffsetDateTime,
    /// The shards and who relays them.
    pub shards: Vec<Shard>,
    /// The consumers and what they have set aside.
    pub consumers: Vec<ConsumerStatus>,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct Shard {
    /// Its number.
    pub shard: i16,
    /// Who had it last.
    pub owner_name: Option<String>,
    /// How often it has changed hands.
    pub fence: i64,
    /// For how long it is leased yet; `None` where it is free.
    pub lease_seconds: Option<f64>,
}

/// One consumer of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct ConsumerStatus {
    /// Its name.
    pub consumer: String,
    /// Its topic.
    pub topic: String,
    /// Messages that it has set aside.
    pub waiting: i64,
    /// Its dead letters that nobody has dealt with.
    pub dead: i64,
}

/// Which events are listed; a field that is `None` leaves all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this topic.
    pub topic: Option<String>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Of the aggregate with this id.
    pub aggregate: Option<String>,
    /// This one.
    pub id: Option<Uuid>,
    /// Only what no broker has yet.
    pub is_pending: bool,
    /// With this id or a higher one: ids carry their time.
    pub from: Option<Uuid>,
    /// With a lower id than this.
    pub before: Option<Uuid>,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub tenant: String,
    /// Where it is published.
    pub topic: String,
    /// What it is about.
    pub kind: String,
    /// Which one.
    pub aggregate: String,
    /// Which of the aggregate's events.
    pub seq: i64,
    /// When it was enqueued.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Whether it is to be published.
    pub is_pending: bool,
    /// How often the broker refused it.
    pub attempts: i32,
    /// Why.
    pub last_error: Option<String>,
    /// How many consumers are to have it.
    pub owed: i64,
    /// How many of them have it, or had it discarded.
    pub had: i64,
    /// Whether it is a dead letter of somebody.
    pub is_dead: bool,
}

/// An event, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whole {
    /// What stands in the list.
    #[serde(flatten)]
    pub entry: Entry,
    /// The aggregate's event before it.
    pub previous: Option<Uuid>,
    /// Its headers, a JSON object.
    pub headers: serde_json::Value,
    /// Its payload; bytes that are no text are shown as U+FFFD.
    pub payload: String,
    /// What each consumer has done with it.
    pub deliveries: Vec<DeliveryStatus>,
}

/// What one consumer has done with an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct DeliveryStatus {
    /// The consumer.
    pub consumer: String,
    /// `done`, `dead`, `discarded`, `waiting (why)` or `not yet`.
    pub state: String,
    /// When it was applied or given up.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// How often it was tried, where it waits.
    pub attempts: Option<i32>,
    /// Why it waits or is dead.
    pub last_error: Option<String>,
}

impl Entry {
    /// Where it is on its way: `pending`, `published`, `confirmed` or `dead`.
    pub fn state(&self) -> &'static str {
        match (self.is_dead, self.is_pending) {
            (true, _) => "dead",
            (false, true) => "pending",
            (false, false) if self.owed <= self.had => "confirmed",
            (false, false) => "published",
        }
    }
}

/// The outbox as a whole.
pub async fn status(ledger: &Ledger) -> Result<Status, ledger::Error> {
    look(ledger, async |connection| {
        let (pending, refused, lag_seconds, before): (i64, i64, Option<f64>, Uuid) =
            sqlx::query_as(BACKLOG)
                .bind(COUNTED_MAX)
                .fetch_one(&mut *connection)
                .await?;
        let shards = sqlx::query_as(SHARDS).fetch_all(&mut *connection).await?;
        let consumers = sqlx::query_as(CONSUMERS)
            .fetch_all(&mut *connection)
            .await?;
        Ok(Status {
            pending,
            refused,
            lag_seconds,
            confirmed_before: time_of_id(before),
            shards,
            consumers,
        })
    })
    .await
}

/// The newest events that `filter` leaves, at most `limit`.
pub async fn list(
    ledger: &Ledger,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Entry>, ledger::Error> {
    look(ledger, async |connection| {
        select(connection, filter, limit).await
    })
    .await
}

/// One event, whole; `None` where there is none of this id, perhaps no longer.
pub async fn show(ledger: &Ledger, id: Uuid) -> Result<Option<Whole>, ledger::Error> {
    look(ledger, async |connection| {
        let filter = Filter {
            id: Some(id),
            ..Filter::default()
        };
        let Some(entry) = select(connection, &filter, 1).await?.into_iter().next() else {
            return Ok(None);
        };
        let (headers, payload, previous): (String, Vec<u8>, Option<Uuid>) = sqlx::query_as(CONTENT)
            .bind(id)
            .bind(&entry.tenant)
            .fetch_one(&mut *connection)
            .await?;
        let deliveries = sqlx::query_as(DELIVERIES)
            .bind(id)
            .bind(&entry.tenant)
            .bind(&entry.topic)
            .fetch_all(&mut *connection)
            .await?;
        Ok(Some(Whole {
            entry,
            previous,
            headers: serde_json::from_str(&headers).unwrap_or_default(),
            payload: String::from_utf8_lossy(&payload).into_owned(),
            deliveries,
        }))
    })
    .await
}

async fn select(
    connection: &mut PgConnection,
    filter: &Filter,
    limit: u32,
) -> sqlx::Result<Vec<Entry>> {
    sqlx::query_as(LIST)
        .bind(&filter.topic)
        .bind(&filter.tenant)
        .bind(&filter.aggregate)
        .bind(filter.id)
        .bind(filter.is_pending)
        .bind(i64::from(limit))
        .bind(filter.from)
        .bind(filter.before)
        .fetch_all(connection)
        .await
}

async fn look<T>(
    ledger: &Ledger,
    ask: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
) -> Result<T, ledger::Error> {
    let mut reader = ledger.reader().await?;
    let asked = timeout(PATIENCE, ask(&mut reader)).await;
    let answer = asked
        .unwrap_or_else(|_elapsed| Err(sqlx::Error::PoolTimedOut))
        .map_err(ledger::Error::inspect)?;
    reader.finish();
    Ok(answer)
}
