//! Gives dead letters another chance.

use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::{Decided, Key, Letters, answer};
use super::error::Error;
use crate::domain::{Aggregate, Tenant};
use crate::ledger::Ledger;

/// Only what is dead: a message that was applied stays in the inbox, and is absorbed.
const REVIVE: &str = "
DELETE FROM oncely.inbox AS i
USING unnest($1::text[], $2::text[], $3::uuid[]) AS k (consumer, tenant, id)
WHERE i.id = k.id AND i.consumer = k.consumer AND i.tenant = k.tenant AND i.state = 'dead'";

const WAIT: &str = "
INSERT INTO oncely.inbox_waiting
    (consumer, id, tenant, topic, kind, aggregate, seq, previous, headers, payload, created_at,
     reason)
SELECT d.consumer, d.id, d.tenant, d.topic, d.kind, d.aggregate, d.seq, d.previous, d.headers,
    d.payload, d.created_at, 'redriven'
FROM oncely.dead_letter AS d
JOIN unnest($1::text[], $2::text[], $3::uuid[]) AS k (consumer, tenant, id)
    ON d.consumer = k.consumer AND d.tenant = k.tenant AND d.id = k.id
ON CONFLICT (consumer, id, tenant) DO NOTHING";

const PUBLISH: &str = "
INSERT INTO oncely.outbox_pending AS held (shard, position, tenant, id, seq, aggregate_hash)
SELECT e.shard, e.position, e.tenant, e.id, e.seq, k.hash
FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS k (tenant, id, hash)
JOIN oncely.outbox_event AS e ON e.id = k.id AND e.tenant = k.tenant
ORDER BY e.shard, e.position
ON CONFLICT (shard, position, tenant) DO UPDATE
SET attempts = 0, next_at = NULL, last_error = NULL
RETURNING held.id";

/// As a dead letter it counted as confirmed: the comparison of outbox and inbox begins before it again.
const LOOK_BACK: &str = "
UPDATE oncely.outbox_confirmed AS held SET before = first.id, changed_at = now()
FROM (SELECT given.id FROM unnest($1::uuid[]) AS given (id) ORDER BY given.id LIMIT 1) AS first
WHERE first.id < held.before";

/// Redrives those of `keys` that nobody has decided about, all or none, and returns how many they were.
///
/// A consumer's letter is applied again by its consumer, with attempts from nought. One that was
/// applied after all is absorbed. A letter of `relay` is published again.
pub async fn redrive(ledger: &Ledger, keys: &[Key], who: &str, why: &str) -> Result<u64, Error> {
    let mut tx = answer(ledger.begin()).await?;
    let (relay, consumers) = Letters::lock(&mut tx, keys).await?.split();
    revive(&mut tx, &consumers).await?;
    publish(&mut tx, &relay).await?;
    let decided = Decided {
        state: "redriven",
        action: "redrive",
        who,
        why,
    };
    let mut n = 0;
    for letters in [relay, consumers] {
        n += letters.decide(&mut tx, decided).await?;
    }
    answer(ledger.commit(tx)).await?;
    Ok(n)
}

async fn revive(connection: &mut PgConnection, letters: &Letters) -> Result<(), Error> {
    for statement in [REVIVE, WAIT] {
        let query = sqlx::query(statement)
            .bind(&letters.consumers)
            .bind(&letters.tenants)
            .bind(&letters.ids);
        answer(query.execute(&mut *connection)).await?;
    }
    Ok(())
}

async fn publish(connection: &mut PgConnection, letters: &Letters) -> Result<(), Error> {
    if letters.is_empty() {
        return Ok(());
    }
    let mut hashes = Vec::new();
    let keys = letters.ids.iter().zip(&letters.tenants);
    for ((id, tenant), detail) in keys.zip(&letters.details) {
        let odd = |why: String| Error::Odd { id: *id, why };
        let tenant = Tenant::new(tenant).map_err(|it| odd(it.to_string()))?;
        let aggregate = Aggregate::new(tenant, &detail.kind, &detail.aggregate);
        hashes.push(aggregate.map_err(|it| odd(it.to_string()))?.hash());
    }
    let query = sqlx::query_scalar(PUBLISH)
        .bind(&letters.tenants)
        .bind(&letters.ids)
        .bind(hashes);
    let pending: Vec<Uuid> = answer(query.fetch_all(&mut *connection)).await?;
    let look_back = sqlx::query(LOOK_BACK).bind(&pending);
    answer(look_back.execute(connection)).await?;
    match letters.ids.iter().find(|it| !pending.contains(it)) {
        Some(gone) => Err(Error::EventGone(*gone)),
        None => Ok(()),
    }
}
