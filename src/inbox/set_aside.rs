//! Sets messages aside in `oncely.inbox_waiting`, and puts those aside that nobody remembers.

use std::time::Duration;

use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{PgConnection, Postgres};
use uuid::Uuid;

use super::desk::answer;
use super::plan::Key;
use super::trouble::Trouble;
use crate::domain::Message;

/// The messages as columns `m`, bound by [`bind`] from `$2` on.
macro_rules! messages {
    () => {
        "unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::uuid[], $9::text[], $10::bytea[], $11::timestamptz[])
            AS m (id, tenant, topic, kind, aggregate, seq, previous, headers, payload, created_at)
        CROSS JOIN oncely.inbox_horizon AS h"
    };
}

/// A row in waiting proves that its message was not applied. So none is written for a message that the
/// inbox has, or that it no longer remembers.
const SET_ASIDE: &str = concat!(
    "
INSERT INTO oncely.inbox_waiting
    (consumer, id, tenant, topic, kind, aggregate, seq, previous, headers, payload, created_at,
     reason, attempts, ready_at, last_error)
SELECT $1, m.id, m.tenant, m.topic, m.kind, m.aggregate, m.seq, m.previous, m.headers::jsonb,
    m.payload, m.created_at, $12, m.attempts,
    clock_timestamp() + $14 * interval '1 second', $15
FROM (SELECT m.id, m.tenant, m.topic, m.kind, m.aggregate, m.seq, m.previous, m.headers,
        m.payload, m.created_at, a.attempts, h.id AS horizon
    FROM ",
    messages!(),
    " JOIN unnest($2::uuid[], $13::integer[]) AS a (id, attempts) ON a.id = m.id) AS m
WHERE m.horizon <= m.id AND NOT EXISTS (
    SELECT 1 FROM oncely.inbox AS i
    WHERE i.id = m.id AND i.consumer = $1 AND i.tenant = m.tenant)
ORDER BY m.id, m.tenant
ON CONFLICT (consumer, id, tenant) DO NOTHING
RETURNING id, tenant"
);

const QUARANTINE: &str = concat!(
    "
INSERT INTO oncely.dead_letter
    (consumer, id, tenant, topic, kind, aggregate, seq, previous, headers, payload, created_at,
     reason, attempts, error)
SELECT $1, m.id, m.tenant, m.topic, m.kind, m.aggregate, m.seq, m.previous, m.headers::jsonb,
    m.payload, m.created_at, 'quarantined', 0,
    'its id is below the horizon: nobody remembers whether it was applied'
FROM ",
    messages!(),
    "
WHERE m.id < h.id
    AND NOT EXISTS (
        SELECT 1 FROM oncely.inbox AS i
        WHERE i.id = m.id AND i.consumer = $1 AND i.tenant = m.tenant)
    AND NOT EXISTS (
        SELECT 1 FROM oncely.inbox_waiting AS w
        WHERE w.consumer = $1 AND w.id = m.id AND w.tenant = m.tenant)
ORDER BY m.id, m.tenant
ON CONFLICT (consumer, id, tenant) DO NOTHING
RETURNING id, tenant"
);

/// Why messages are set aside, and when they are due.
#[derive(Debug, Clone)]
pub(super) struct Why<'a> {
    pub(super) reason: &'static str,
    pub(super) wait: Duration,
    pub(super) error: Option<&'a str>,
}

type Keys<'q> = QueryAs<'q, Postgres, Key, PgArguments>;

/// Sets messages aside, each with the attempts that count already. Returns those that were not set
/// aside before and are not in the inbox.
pub(super) async fn set_aside(
    connection: &mut PgConnection,
    consumer: &str,
    messages: &[(&Message, i32)],
    why: Why<'_>,
) -> Result<Vec<Key>, Trouble> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let attempts: Vec<i32> = messages.iter().map(|it| it.1).collect();
    let bare: Vec<&Message> = messages.iter().map(|it| it.0).collect();
    let query = bind(sqlx::query_as(SET_ASIDE).bind(consumer.to_owned()), &bare)
        .bind(why.reason)
        .bind(attempts)
        .bind(why.wait.as_secs_f64())
        .bind(why.error.map(str::to_owned));
    answer(query.fetch_all(connection)).await
}

/// Makes dead letters of messages below the horizon. Returns those that are new.
pub(super) async fn quarantine(
    connection: &mut PgConnection,
    consumer: &str,
    messages: &[&Message],
) -> Result<Vec<Key>, Trouble> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let query = bind(
        sqlx::query_as(QUARANTINE).bind(consumer.to_owned()),
        messages,
    );
    answer(query.fetch_all(connection)).await
}

fn bind<'q>(query: Keys<'q>, messages: &[&Message]) -> Keys<'q> {
    let text = |it: fn(&Message) -> &str| -> Vec<String> {
        messages
            .iter()
            .map(|message| it(message).to_owned())
            .collect()
    };
    let headers = messages.iter().map(|it| {
        serde_json::to_string(&it.headers).expect("invariant: a map of text is a JSON object")
    });
    let payloads = messages.iter().map(|it| it.payload.to_vec());
    let created: Vec<time::OffsetDateTime> = messages.iter().map(|it| it.created_at).collect();
    query
        .bind(messages.iter().map(|it| it.id).collect::<Vec<Uuid>>())
        .bind(text(|it| it.aggregate.tenant().as_str()))
        .bind(text(|it| it.topic.as_str()))
        .bind(text(|it| it.aggregate.kind()))
        .bind(text(|it| it.aggregate.id()))
        .bind(messages.iter().map(|it| it.seq).collect::<Vec<i64>>())
        .bind(messages.iter().map(|it| it.previous).collect::<Vec<_>>())
        .bind(headers.collect::<Vec<String>>())
        .bind(payloads.collect::<Vec<Vec<u8>>>())
        .bind(created)
}
