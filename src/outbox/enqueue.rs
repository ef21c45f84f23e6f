//! Writes an event in the transaction of the operation that it tells of.

use uuid::Uuid;

use super::aggregate::LockedAggregate;
use super::error::EnqueueError;
use super::event::Event;
use crate::ledger::Tx;

/// Counts the event, writes it, and makes it pending: one statement, one round trip.
///
/// The id is a UUIDv7 made here whose time is the database's: its first 48 bits are the milliseconds
/// of `clock_timestamp()`, so that no wrong clock of ours puts an event into a time slice that was
/// looked through already. The position is taken after the counter's row is locked.
///
/// No row comes back where the counter is not where the lock saw it.
const ENQUEUE: &str = "
WITH minted AS MATERIALIZED (
    SELECT encode(
        substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        || substring(uuid_send($1) FROM 7), 'hex')::uuid AS id
), counter AS (
    INSERT INTO oncely.outbox_aggregate AS held (tenant, kind, id, topic, seq, last)
    SELECT $2, $3, $4, $8, $5 + 1, minted.id FROM minted
    ON CONFLICT (tenant, kind, id) DO UPDATE
    SET topic = excluded.topic, seq = held.seq + 1, last = excluded.last
    WHERE held.seq = $5
    RETURNING held.seq, held.last
), event AS (
    INSERT INTO oncely.outbox_event
        (id, tenant, position, shard, kind, aggregate, seq, previous, topic, headers, payload)
    SELECT counter.last, $2, nextval('oncely.outbox_position'), $6, $3, $4, counter.seq, $7,
        $8, $9::jsonb, $10
    FROM counter
    RETURNING id, position, seq
)
INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
SELECT $6, position, $2, id, seq, $11 FROM event
RETURNING id";

/// Enqueues `event` as the next one of `locked`, and returns its id. All events of an aggregate go to
/// one topic: a consumer waits for the one before, and would never get one of another topic. It is published once `tx` has
/// committed, and never where it has not.
///
/// After an error the transaction can only be rolled back.
pub async fn enqueue(
    tx: &mut Tx,
    locked: &mut LockedAggregate,
    event: Event,
) -> Result<Uuid, EnqueueError> {
    event.check()?;
    if let Some(topic) = locked
        .topic
        .as_ref()
        .filter(|it| *it != event.topic.as_str())
    {
        return Err(EnqueueError::OtherTopic(topic.clone()));
    }
    let headers = serde_json::to_string(&event.headers).map_err(EnqueueError::Unserializable)?;
    let aggregate = &locked.aggregate;
    let id: Option<Uuid> = sqlx::query_scalar(ENQUEUE)
        .bind(Uuid::now_v7())
        .bind(aggregate.tenant().as_str())
        .bind(aggregate.kind())
        .bind(aggregate.id())
        .bind(locked.seq)
        .bind(aggregate.shard())
        .bind(locked.last)
        .bind(event.topic.as_str())
        .bind(headers)
        .bind(&event.payload[..])
        .bind(aggregate.hash())
        .fetch_optional(&mut **tx)
        .await?;
    let id = id.ok_or(EnqueueError::NotLocked)?;
    locked.seq += 1;
    locked.last = Some(id);
    locked.topic = Some(event.topic.as_str().to_owned());
    tx.tell_of_events();
    Ok(id)
}
