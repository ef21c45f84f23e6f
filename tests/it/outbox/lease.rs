//! Relays share the shards, and one that was paused settles nothing that is no longer its own.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use crate::harness::{run, until};

fn shares(of: &[(&str, i64)]) -> Vec<(String, i64)> {
    of.iter().map(|it| (it.0.to_owned(), it.1)).collect()
}

#[test]
fn a_paused_relay_settles_nothing_once_another_has_its_shard() {
    run(async {
        let world = World::with(|it| it.outbox.lease = Duration::from_secs(1)).await;
        let id = world.enqueue("a", "p").await;
        let mut held = None;
        let paused = world.relay_to("paused", Arc::new(world.broker.clone()), |it| {
            held = Some(it.hold("outbox.relay.before_settle"));
        });
        let mut published = held.unwrap();
        assert!(published.arrived().await);
        let renewal = paused.points.hold("outbox.lease.before_renew");
        let mut claimed = None;
        let other = world.relay_to("other", Arc::new(world.broker.clone()), |it| {
            claimed = Some(it.hold("outbox.relay.after_claim"));
        });
        let mut claimed = claimed.unwrap();
        assert!(claimed.arrived().await, "the other has the shard");
        // The paused one goes on: it believes that the row is settled by its own batch.
        let mut settled = paused.points.hold("outbox.relay.after_settle");
        published.release();
        assert!(settled.arrived().await);
        assert_eq!(world.n_pending().await, 1, "it deleted what is another's");
        claimed.release();
        world.drained().await;
        assert_eq!(
            world.published(),
            [id, id],
            "a duplicate, which the inbox absorbs"
        );
        settled.release();
        renewal.release();
        let fences = "SELECT min(fence) FROM oncely.outbox_shard";
        assert_eq!(world.count(fences).await, 2);
        paused.stop().await;
        other.stop().await;
    });
}

#[test]
fn relays_share_the_shards_and_who_stays_gets_them_back() {
    run(async {
        let world = World::with(|it| it.outbox.lease = Duration::from_secs(3)).await;
        let first = world.relay("1");
        until(|| async { world.shares().await == shares(&[("1", 16)]) }).await;
        let second = world.relay("2");
        until(|| async { world.shares().await == shares(&[("1", 8), ("2", 8)]) }).await;
        let third = world.relay("3");
        let thirds = shares(&[("1", 6), ("2", 6), ("3", 4)]);
        until(|| async { world.shares().await == thirds }).await;
        let mut ids = Vec::new();
        for n in 0..50 {
            ids.push(world.enqueue(&format!("o-{n}"), "p").await);
        }
        world.drained().await;
        let mut published = world.published();
        published.sort_unstable();
        ids.sort_unstable();
        assert_eq!(published, ids, "each once, by whichever");
        first.stop().await;
        third.stop().await;
        until(|| async { world.shares().await == shares(&[("2", 16)]) }).await;
        second.stop().await;
    });
}
