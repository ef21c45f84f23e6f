//! Messages that wait for their predecessor: where that takes long, it is asked for again.

use sqlx::Row;
use uuid::Uuid;

use crate::domain::{Aggregate, Tenant};
use crate::inbox::desk::{Desk, answer};
use crate::inbox::predecessor::is_next;
use crate::inbox::trouble::Trouble;
use crate::telemetry::messages as metrics;
use crate::telemetry::messages::Cause;

/// How many are looked at in one go.
const N_MAX: i64 = 100;

/// Those whose time has come though their predecessor has not. What was not known to wait for one
/// begins to; no attempt is counted for waiting.
const OVERDUE: &str = concat!(
    "
WITH overdue AS MATERIALIZED (
    SELECT w.id, w.tenant, w.reason
    FROM oncely.inbox_waiting AS w CROSS JOIN oncely.inbox_horizon AS h
    WHERE w.consumer = $1 AND w.ready_at <= clock_timestamp() AND NOT ",
    is_next!("w.tenant", "w.previous"),
    "
    ORDER BY w.ready_at, w.id
    LIMIT $2
    FOR UPDATE OF w SKIP LOCKED
)
UPDATE oncely.inbox_waiting AS w
SET reason = 'gap', ready_at = clock_timestamp() + $3 * interval '1 second'
FROM overdue
WHERE w.consumer = $1 AND w.id = overdue.id AND w.tenant = overdue.tenant
RETURNING w.id, w.tenant, w.kind, w.aggregate, w.previous, overdue.reason = 'gap' AS has_waited"
);

/// Has events published again that are in the log and neither here already nor given up.
const ASK: &str = "
INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
SELECT e.shard, e.position, e.tenant, e.id, e.seq, m.hash
FROM unnest($2::uuid[], $3::text[], $4::bigint[]) AS m (id, tenant, hash)
JOIN oncely.outbox_event AS e ON e.id = m.id AND e.tenant = m.tenant
WHERE NOT EXISTS (
        SELECT 1 FROM oncely.inbox AS i
        WHERE i.id = m.id AND i.consumer = $1 AND i.tenant = m.tenant)
    AND NOT EXISTS (
        SELECT 1 FROM oncely.inbox_waiting AS w
        WHERE w.consumer = $1 AND w.id = m.id AND w.tenant = m.tenant)
    AND NOT EXISTS (
        SELECT 1 FROM oncely.dead_letter AS d
        WHERE d.consumer IN ($1, 'relay') AND d.id = m.id AND d.tenant = m.tenant
            AND d.state = 'dead')
ORDER BY e.shard, e.position
ON CONFLICT (shard, position, tenant) DO NOTHING
RETURNING id";

/// Asks for the predecessors of those that have waited too long, once per `inbox.gap_timeout`.
pub(super) async fn ask(desk: &Desk) -> Result<(), Trouble> {
    let mut tx = desk.begin().await?;
    let query = sqlx::query(OVERDUE)
        .bind(desk.name())
        .bind(N_MAX)
        .bind(desk.settings.gap_timeout.as_secs_f64());
    let rows = answer(query.fetch_all(&mut *tx)).await?;
    let (mut ids, mut tenants, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        if !row.try_get::<bool, _>("has_waited")? {
            continue;
        }
        let (id, previous): (Uuid, Uuid) = (row.try_get("id")?, row.try_get("previous")?);
        let tenant: String = row.try_get("tenant")?;
        tracing::warn!(consumer = desk.name(), message.id = %id, %previous,
            "a message waits for the one before it");
        let (kind, aggregate) = (row.try_get::<String, _>("kind")?, row.try_get("aggregate")?);
        if let Some(hash) = hash(&tenant, &kind, aggregate) {
            ids.push(previous);
            tenants.push(tenant);
            hashes.push(hash);
        }
    }
    let mut n_asked = 0;
    if !ids.is_empty() {
        let query = sqlx::query(ASK)
            .bind(desk.name())
            .bind(ids)
            .bind(tenants)
            .bind(hashes);
        n_asked = answer(query.fetch_all(&mut *tx)).await?.len();
    }
    desk.commit(tx).await?;
    metrics::republished(Cause::Gap, u64::try_from(n_asked).unwrap_or(u64::MAX));
    Ok(())
}

/// The number of the aggregate, which the predecessor shares; `None` where the row is none of ours.
fn hash(tenant: &str, kind: &str, id: String) -> Option<i64> {
    let tenant = Tenant::new(tenant).ok()?;
    Some(Aggregate::new(tenant, kind, id).ok()?.hash())
}
