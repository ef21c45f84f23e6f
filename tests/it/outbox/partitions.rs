//! Partitions are there before they are needed, and go only when all in them is confirmed.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::world::World;
use crate::harness::{run, until};

async fn partitions(world: &World, parent: &'static str) -> Vec<String> {
    let sql = format!(
        "SELECT inhrelid::regclass::text FROM pg_inherits
         WHERE inhparent = 'oncely.{parent}'::regclass ORDER BY 1"
    );
    let mut books = world.books().await;
    let rows = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(&mut books)
        .await;
    rows.unwrap().iter().map(|it| it.get(0)).collect()
}

/// A partition of an hour, three hours ago, with two events.
async fn old_partition(world: &World) -> [Uuid; 2] {
    world
        .execute(
            "DO $$
             DECLARE
                 low bigint := (floor(extract(epoch FROM now()) / 3600) - 3) * 3600000;
                 from_id uuid := (lpad(to_hex(low), 12, '0') || repeat('0', 20))::uuid;
                 to_id uuid := (lpad(to_hex(low + 3600000), 12, '0') || repeat('0', 20))::uuid;
             BEGIN
                 EXECUTE format('CREATE TABLE oncely.old PARTITION OF oncely.outbox_event
                     FOR VALUES FROM (%L) TO (%L)', from_id, to_id);
                 INSERT INTO oncely.outbox_event (id, tenant, position, shard, kind, aggregate, seq,
                     topic, headers, payload, created_at)
                 SELECT (lpad(to_hex(low + n), 12, '0') || '7' || repeat('1', 19))::uuid, 'demo',
                     nextval('oncely.outbox_position'), n, 'order', 'o-' || n, 1, 'order.changed',
                     '{}', 'p', now() - interval '3 hours'
                 FROM generate_series(1, 2) n;
             END $$",
        )
        .await;
    let rows = world.rows("SELECT id FROM oncely.old ORDER BY id").await;
    [rows[0].get(0), rows[1].get(0)]
}

#[test]
fn partitions_are_made_ahead_and_what_comes_before_them_is_in_the_default_one() {
    run(async {
        let world = World::with(|it| {
            it.outbox.partition_span = Duration::from_mins(1);
            it.inbox.partition_span = Duration::from_mins(1);
        })
        .await;
        world.enqueue("a", "p").await;
        let relay = world.relay("r");
        for (parent, default) in [
            ("outbox_event", "oncely.outbox_event_default"),
            ("inbox", "oncely.inbox_default"),
        ] {
            until(|| async { 4 <= partitions(&world, parent).await.len() }).await;
            let there = partitions(&world, parent).await;
            assert!(there.iter().any(|it| it == default), "{there:?}");
            let begins = format!("oncely.{parent}_20");
            let named = there.iter().filter(|it| it.starts_with(&begins));
            assert_eq!(named.count(), there.len() - 1, "{there:?}");
        }
        world.drained().await;
        // An event of in two minutes finds its place, with all constraints and the key.
        let later = "INSERT INTO oncely.outbox_event (id, tenant, position, shard, kind, aggregate, seq,
                topic, headers, payload)
            SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint + 120000), 12, '0')
                || repeat('0', 20))::uuid, 'demo', 99, 0, 'order', 'z', 1, 'order.changed', '{}', 'p'";
        world.execute(later).await;
        let placed = "SELECT count(*) FROM oncely.outbox_event
                      WHERE tableoid = 'oncely.outbox_event_default'::regclass";
        assert_eq!(world.count(placed).await, 1);
        let mut books = world.books().await;
        let twice = sqlx::raw_sql(later).execute(&mut books).await;
        assert!(twice.is_ok() || twice.unwrap_err().to_string().contains("duplicate key"));
        relay.stop().await;
    });
}

#[test]
fn a_partition_stays_while_one_event_in_it_is_unconfirmed_and_goes_afterwards() {
    run(async {
        let world = World::with(|it| it.outbox.retention = Duration::from_hours(1)).await;
        world.consumer().await;
        let [one, two] = old_partition(&world).await;
        world.confirm(one).await;
        let there = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('oncely.old')";
        let ahead = || async { 4 <= partitions(&world, "inbox").await.len() };

        let relay = world.relay("r");
        until(|| async { world.published().contains(&two) }).await;
        until(ahead).await;
        relay.stop().await;
        assert_eq!(world.count(there).await, 1, "it was dropped too early");

        world.confirm(two).await;
        let relay = world.relay("r");
        until(|| async { world.count(there).await == 0 }).await;
        relay.stop().await;
        let published = world.published();
        assert!(published.iter().all(|it| *it == two), "{published:?}");
    });
}

#[test]
fn the_default_partition_is_emptied_of_what_is_confirmed_and_old() {
    run(async {
        let world = World::with(|it| it.outbox.retention = Duration::from_hours(1)).await;
        world.consumer().await;
        let [one, two] = old_partition(&world).await;
        world
            .execute(
                "ALTER TABLE oncely.outbox_event DETACH PARTITION oncely.old;
                 INSERT INTO oncely.outbox_event (id, tenant, position, shard, kind, aggregate, seq,
                     previous, topic, headers, payload, created_at)
                 SELECT id, tenant, position, shard, kind, aggregate, seq, previous, topic, headers,
                     payload, created_at FROM oncely.old",
            )
            .await;
        let fresh = world.enqueue("fresh", "p").await;
        for id in [one, two, fresh] {
            world.confirm(id).await;
        }
        let relay = world.relay("r");
        let left = "SELECT count(*) FROM oncely.outbox_event_default";
        until(|| async { world.count(left).await == 1 }).await;
        relay.stop().await;
        let rows = world.rows("SELECT id FROM oncely.outbox_event").await;
        assert_eq!(rows[0].get::<Uuid, _>(0), fresh);
    });
}

#[test]
fn the_inbox_forgets_only_below_a_horizon_that_was_announced() {
    run(async {
        let world = World::with(|it| {
            it.outbox.retention = Duration::from_mins(30);
            it.inbox.retention = Duration::from_hours(1);
            it.inbox.partition_span = Duration::from_hours(1);
        })
        .await;
        world.consumer().await;
        let [one, two] = old_partition(&world).await;
        for id in [one, two] {
            world.confirm(id).await;
        }
        let raised = "SELECT count(*) FROM oncely.inbox_horizon
                      WHERE id > '00000000-0000-0000-0000-000000000000'";
        world
            .execute("UPDATE oncely.inbox_horizon SET raised_at = now() - interval '1 hour'")
            .await;
        let remembered = "SELECT count(*) FROM oncely.inbox";
        let relay = world.relay("r");
        until(|| async { world.count(raised).await == 1 }).await;
        relay.stop().await;
        assert_eq!(
            world.count(remembered).await,
            2,
            "the horizon is only announced"
        );
        world
            .execute("UPDATE oncely.inbox_horizon SET raised_at = now() - interval '6 minutes'")
            .await;
        let relay = world.relay("r");
        until(|| async { world.count(remembered).await == 0 }).await;
        relay.stop().await;
    });
}
