//! Gives dead letters up for good: they are never applied, and what waited for them goes on.

use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::{Decided, Key, Letters, answer};
use super::error::Error;
use crate::ledger::Ledger;

const DISCARD: &str = "
INSERT INTO oncely.inbox AS held (id, consumer, tenant, state)
SELECT k.id, k.consumer, k.tenant, 'discarded'
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS k (consumer, tenant, id)
ORDER BY k.id, k.consumer, k.tenant
ON CONFLICT (id, consumer, tenant) DO UPDATE SET state = 'discarded', at = now()
WHERE held.state = 'dead'";

/// No consumer will ever get it, so it is discarded for each of them.
const DISCARD_FOR_ALL: &str = "
INSERT INTO oncely.inbox AS held (id, consumer, tenant, state)
SELECT k.id, c.consumer, k.tenant, 'discarded'
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS k (topic, tenant, id)
JOIN oncely.inbox_consumer AS c ON c.topic = k.topic
ORDER BY k.id, c.consumer, k.tenant
ON CONFLICT (id, consumer, tenant) DO UPDATE SET state = 'discarded', at = now()
WHERE held.state = 'dead'";

/// Discards those of `keys` that nobody has decided about, all or none, and returns how many they were.
pub async fn discard(ledger: &Ledger, keys: &[Key], who: &str, why: &str) -> Result<u64, Error> {
    let mut tx = answer(ledger.begin()).await?;
    let (relay, consumers) = Letters::lock(&mut tx, keys).await?.split();
    mark(&mut tx, DISCARD, &consumers, |letters, place| {
        letters.consumers.get(place).cloned()
    })
    .await?;
    mark(&mut tx, DISCARD_FOR_ALL, &relay, |letters, place| {
        letters.details.get(place).map(|it| it.topic.clone())
    })
    .await?;
    let decided = Decided {
        state: "discarded",
        action: "discard",
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

/// Marks what the inbox still remembers; below the horizon there is nothing to mark.
async fn mark(
    connection: &mut PgConnection,
    statement: &'static str,
    letters: &Letters,
    whose: impl Fn(&Letters, usize) -> Option<String>,
) -> Result<(), Error> {
    let (mut names, mut tenants, mut ids): (Vec<String>, Vec<&str>, Vec<Uuid>) = Default::default();
    let keys = letters.ids.iter().zip(&letters.tenants);
    for (place, ((id, tenant), detail)) in keys.zip(&letters.details).enumerate() {
        if let (false, Some(name)) = (detail.is_below, whose(letters, place)) {
            names.push(name);
            tenants.push(tenant);
            ids.push(*id);
        }
    }
    if !ids.is_empty() {
        let query = sqlx::query(statement).bind(names).bind(tenants).bind(ids);
        answer(query.execute(connection)).await?;
    }
    Ok(())
}
