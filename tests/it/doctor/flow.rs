//! What waits for somebody: seen by the doctor, with the command that shows more.

use oncely::testkit::Pair;

use super::visit::{NO_REDIS, execute, visit};
use crate::harness::{migrated, run};

const UNKNOWN: &str = "
INSERT INTO oncely.records (tenant, id, operation, fingerprint, expires_at, state, attempt, phase,
    carried, downstream_key, lease_expires_at)
VALUES ('demo', uuid_send(gen_random_uuid()), 'POST /payments', decode(repeat('00', 37), 'hex'),
    '9999-12-31 00:00:00+00', 'unknown', 1, 'charge', '{}', gen_random_uuid(), NULL),
    ('demo', uuid_send(gen_random_uuid()), 'POST /payments', decode(repeat('00', 37), 'hex'),
    '9999-12-31 00:00:00+00', 'leased', 1, 'charge', '{}', NULL, now() - interval '1 hour')";

const EXPIRED: &str = "
INSERT INTO oncely.records (tenant, id, operation, fingerprint, created_at, expires_at, state,
    completed_at, response_status)
VALUES ('demo', uuid_send(gen_random_uuid()), 'POST /charge', decode(repeat('00', 37), 'hex'),
    now() - interval '4 days', now() - interval '1 day', 'completed', now(), 201)";

const DEAD: &str = "
INSERT INTO oncely.dead_letter (consumer, id, tenant, topic, kind, aggregate, seq, headers, payload,
    created_at, reason, attempts, error)
VALUES ('journal', gen_random_uuid(), 'demo', 'charge.succeeded', 'charge', 'ch_1', 1, '{}', '',
    now(), 'failed', 8, 'no such account')";

const PENDING: &str = "
INSERT INTO oncely.outbox_event (id, tenant, position, shard, kind, aggregate, seq, topic, headers,
    payload, created_at)
VALUES ('00000000-0000-7000-8000-000000000001', 'demo', 1, 0, 'charge', 'ch_1', 1,
    'charge.succeeded', '{}', '', now() - interval '1 hour');
INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash, attempts)
VALUES (0, 1, 'demo', '00000000-0000-7000-8000-000000000001', 1, 1, 2)";

#[test]
fn what_waits_for_somebody_is_found() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        let database = migrated(pair.postgres.url()).await;
        let url = database.url();
        let idle = visit(url, NO_REDIS, &[]).await;
        idle.finds("flow", "relay", "warning", "nobody relays");
        for name in [
            "outbox-lag",
            "dead-letters",
            "unknown-outcomes",
            "leases",
            "sweeper",
        ] {
            idle.is_good("flow", name);
        }
        for statement in [UNKNOWN, EXPIRED, DEAD, PENDING] {
            execute(url, statement).await;
        }
        let found = visit(url, NO_REDIS, &[]).await;
        found.finds("flow", "unknown-outcomes", "warning", "1 calls");
        found.finds("flow", "leases", "warning", "1 operations");
        found.finds("flow", "sweeper", "warning", "1 records");
        found.finds("flow", "dead-letters", "warning", "1 that nobody");
        found.finds("flow", "outbox-lag", "error", "the oldest for 1h");
        found.finds("flow", "relay", "error", "events are pending");
        found.finds("flow", "refused-events", "warning", "refused 1");
    });
}
