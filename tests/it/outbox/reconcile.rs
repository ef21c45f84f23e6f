//! What the broker loses is published again, with and without a sign of the loss; what is confirmed is
//! not.

use std::time::Duration;

use sqlx::Row;
use uuid::Uuid;

use super::world::{World, topic};
use crate::harness::{run, until};

const PENDING: &str = "SELECT shard, position, tenant, id, seq, aggregate_hash
                       FROM oncely.outbox_pending ORDER BY position";

type Pending = (i16, i64, String, Uuid, i64, i64);

async fn pending(world: &World) -> Vec<Pending> {
    let rows = world.rows(PENDING).await;
    let row = |it: &sqlx::postgres::PgRow| {
        (
            it.get(0),
            it.get(1),
            it.get(2),
            it.get(3),
            it.get(4),
            it.get(5),
        )
    };
    rows.iter().map(row).collect()
}

#[test]
fn a_broker_that_lost_everything_gets_all_that_is_not_confirmed_again() {
    run(async {
        let world = World::with(|it| {
            // Only the broker's change may bring them back in this test.
            it.outbox.reconcile_after = Duration::from_hours(1);
        })
        .await;
        world.consumer().await;
        let mut ids = Vec::new();
        for n in 0..10 {
            ids.push(world.enqueue(&format!("o-{n}"), "p").await);
        }
        let relay = world.relay("r");
        world.drained().await;
        world.confirm(ids[0]).await;
        let seen = "SELECT count(*) FROM oncely.outbox_broker WHERE epoch LIKE '%[10,0]%'";
        until(|| async { world.count(seen).await == 1 }).await;
        world.broker.lose_everything();
        until(|| async { 9 <= world.published().len() }).await;
        world.drained().await;
        let mut published = world.published();
        published.sort_unstable();
        ids.sort_unstable();
        assert_eq!(published, ids[1..], "what is confirmed stays away");
        let seen = "SELECT count(*) FROM oncely.outbox_broker WHERE epoch LIKE '%[9,0]%'";
        until(|| async { world.count(seen).await == 1 }).await;
        relay.stop().await;
    });
}

#[test]
fn a_loss_without_a_sign_is_found_by_comparing_with_the_inbox() {
    run(async {
        let world = World::start().await;
        world.consumer().await;
        let kept = world.enqueue("kept", "p").await;
        let lost = world.enqueue("lost", "p").await;
        world.confirm(kept).await;
        let relay = world.relay("r");
        world.drained().await;
        world.broker.lose_silently(&topic("order.changed"));
        until(|| async { !world.published().is_empty() }).await;
        world.drained().await;
        assert!(world.published().iter().all(|it| *it == lost));
        world.confirm(lost).await;
        let mut books = world.books().await;
        until(|| async {
            let before = "SELECT count(*) FROM oncely.outbox_confirmed c
                          WHERE (SELECT id FROM oncely.outbox_event ORDER BY id DESC LIMIT 1) < c.before";
            world.count(before).await == 1
        })
        .await;
        let before: Uuid = sqlx::query_scalar("SELECT before FROM oncely.outbox_confirmed")
            .fetch_one(&mut books)
            .await
            .unwrap();
        assert!(lost < before, "the watermark passed what is confirmed");
        relay.stop().await;
    });
}

#[test]
fn what_comes_back_is_the_row_that_was_there() {
    run(async {
        let world = World::start().await;
        world.consumer().await;
        for n in 0..20 {
            world.enqueue(&format!("o-{n}"), "p").await;
        }
        world.enqueue("o-3", "again").await;
        let before = pending(&world).await;
        assert_eq!(before.len(), 21);
        world.execute("DELETE FROM oncely.outbox_pending").await;
        // It finds them, and can't publish them: so they stay where they can be read.
        world.broker.set_down(true);
        let relay = world.relay("r");
        until(|| async { world.n_pending().await == 21 }).await;
        assert_eq!(pending(&world).await, before);
        relay.stop().await;
    });
}

#[test]
fn what_is_set_aside_or_given_up_is_not_published_again() {
    run(async {
        let world = World::start().await;
        world.consumer().await;
        let waiting = world.enqueue("waiting", "p").await;
        let dead = world.enqueue("dead", "p").await;
        let missing = world.enqueue("missing", "p").await;
        world.execute("DELETE FROM oncely.outbox_pending").await;
        let mut books = world.books().await;
        let set_aside =
            "INSERT INTO oncely.inbox_waiting (consumer, id, tenant, topic, kind, aggregate,
                seq, previous, headers, payload, created_at, reason)
             SELECT 'ledger', id, tenant, topic, kind, aggregate, seq, previous, headers, payload,
                created_at, 'gap' FROM oncely.outbox_event WHERE id = $1";
        let insert = sqlx::query(set_aside).bind(waiting);
        insert.execute(&mut books).await.unwrap();
        let given_up =
            "INSERT INTO oncely.dead_letter (consumer, id, tenant, topic, kind, aggregate,
                seq, previous, headers, payload, created_at, reason, attempts, error)
             SELECT 'ledger', id, tenant, topic, kind, aggregate, seq, previous, headers, payload,
                created_at, 'failed', 8, 'no' FROM oncely.outbox_event WHERE id = $1";
        let insert = sqlx::query(given_up).bind(dead);
        insert.execute(&mut books).await.unwrap();
        let relay = world.relay("r");
        until(|| async { !world.published().is_empty() }).await;
        world.drained().await;
        assert!(world.published().iter().all(|it| *it == missing));
        world.confirm(missing).await;
        // What is set aside holds the watermark, and keeps doing so.
        tokio::time::sleep(world.config.outbox.reconcile_interval * 3).await;
        let passed = "SELECT count(*) FROM oncely.outbox_confirmed c
                      WHERE (SELECT id FROM oncely.outbox_event ORDER BY id LIMIT 1) < c.before";
        assert_eq!(world.count(passed).await, 0);
        relay.stop().await;
    });
}
