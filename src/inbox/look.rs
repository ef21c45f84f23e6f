//! What the inbox says of the messages of a batch, and taking them into it.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::desk::answer;
use super::plan::{Key, Look, key};
use super::predecessor::is_next;
use super::trouble::Trouble;
use crate::domain::Message;

const LOOK: &str = concat!(
    "
SELECT m.id, m.tenant, m.id < h.id,
    EXISTS (
        SELECT 1 FROM oncely.inbox AS i
        WHERE i.id = m.id AND i.consumer = $1 AND i.tenant = m.tenant)
    OR EXISTS (
        SELECT 1 FROM oncely.inbox_waiting AS w
        WHERE w.consumer = $1 AND w.id = m.id AND w.tenant = m.tenant)
    OR EXISTS (
        SELECT 1 FROM oncely.dead_letter AS d
        WHERE d.consumer = $1 AND d.id = m.id AND d.tenant = m.tenant AND d.state = 'dead'),
    ",
    is_next!("m.tenant", "m.previous"),
    "
FROM unnest($2::uuid[], $3::text[], $4::uuid[]) AS m (id, tenant, previous)
CROSS JOIN oncely.inbox_horizon AS h"
);

/// In the order of ids, so that two batches with the same messages wait for each other and never in a
/// circle. A concurrent duplicate waits here for the first one's end.
const INSERT: &str = "
INSERT INTO oncely.inbox (id, consumer, tenant, state)
SELECT m.id, $1, m.tenant, 'done' FROM unnest($2::uuid[], $3::text[]) AS m (id, tenant)
ORDER BY m.id, m.tenant
ON CONFLICT (id, consumer, tenant) DO NOTHING
RETURNING id, tenant";

const TAKE_OUT: &str = "
DELETE FROM oncely.inbox AS i USING unnest($2::uuid[], $3::text[]) AS m (id, tenant)
WHERE i.id = m.id AND i.consumer = $1 AND i.tenant = m.tenant";

/// Looks the messages up.
pub(super) async fn look(
    connection: &mut PgConnection,
    consumer: &str,
    messages: &[Message],
) -> Result<HashMap<Key, Look>, Trouble> {
    let (ids, tenants) = columns(messages);
    let previous: Vec<Option<Uuid>> = messages.iter().map(|it| it.previous).collect();
    let query = sqlx::query_as(LOOK)
        .bind(consumer)
        .bind(ids)
        .bind(tenants)
        .bind(previous);
    let rows: Vec<(Uuid, String, bool, bool, bool)> = answer(query.fetch_all(connection)).await?;
    let looks = rows
        .into_iter()
        .map(|(id, tenant, is_below, is_known, is_next)| {
            let look = Look {
                is_below,
                is_known,
                is_next,
            };
            ((id, tenant), look)
        });
    Ok(looks.collect())
}

/// Takes messages into the inbox. What was there already does not come back.
pub(super) async fn insert<'a>(
    connection: &mut PgConnection,
    consumer: &str,
    messages: impl IntoIterator<Item = &'a Message>,
) -> Result<HashSet<Key>, Trouble> {
    let (ids, tenants) = columns(messages);
    let query = sqlx::query_as(INSERT)
        .bind(consumer)
        .bind(ids)
        .bind(tenants);
    let inserted: Vec<Key> = answer(query.fetch_all(connection)).await?;
    Ok(inserted.into_iter().collect())
}

/// Takes messages out of the inbox again, in the transaction that took them in.
pub(super) async fn take_out<'a>(
    connection: &mut PgConnection,
    consumer: &str,
    messages: impl IntoIterator<Item = &'a Message>,
) -> Result<(), Trouble> {
    let (ids, tenants) = columns(messages);
    let query = sqlx::query(TAKE_OUT).bind(consumer).bind(ids).bind(tenants);
    answer(query.execute(connection)).await?;
    Ok(())
}

fn columns<'a>(messages: impl IntoIterator<Item = &'a Message>) -> (Vec<Uuid>, Vec<String>) {
    messages.into_iter().map(key).unzip()
}
