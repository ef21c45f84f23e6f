//! Events of an aggregate take effect in their order, and what is missing is asked for.

use std::slice;
use std::time::Duration;

use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::inbox::dead_letter::{Key, discard, redrive};
use oncely::outbox::{self, Event, LockedAggregate};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::world::{Act, Probe, TOPIC, World, follower, ids, message, when};
use crate::harness::{run, until};

/// `n` events of one aggregate, each after the one before.
fn chain(n: i64) -> Vec<Message> {
    let mut events: Vec<Message> = Vec::new();
    for seq in 1..=n {
        let it = follower("order-1", seq, events.last(), "changed");
        events.push(it);
    }
    events
}

fn key(message: &Message) -> Key {
    Key {
        consumer: "probe".to_owned(),
        tenant: "demo".to_owned(),
        id: message.id,
    }
}

#[test]
fn an_event_that_comes_early_waits_and_both_are_applied_in_order() {
    run(async {
        let mut world = World::new().await;
        world.settings.gap_timeout = Duration::from_mins(1);
        let events = chain(5);
        let probe = Probe::new(|_, _| Act::Apply);
        world.run(&probe);
        world.publish(&events[..3]).await;
        world.until_done(3).await;
        world.publish(&events[4..]).await;
        let early = (events[4].id, "gap".to_owned(), 0);
        until(|| async { world.waiting().await == [early.clone()] }).await;
        world.until_acknowledged().await;
        world.publish(&events[3..4]).await;
        world.until_done(5).await;
        world.stop().await;
        assert_eq!(world.effects().await, ids(&events));
        assert_eq!(world.waiting().await, []);
    });
}

#[test]
fn a_batch_that_is_shuffled_is_applied_in_order() {
    run(async {
        let mut world = World::new().await;
        let events = chain(20);
        let mut shuffled = events.clone();
        shuffled.reverse();
        shuffled.swap(3, 17);
        world.publish(&shuffled).await;
        world.run(&Probe::new(|_, _| Act::Apply));
        world.until_done(20).await;
        world.stop().await;
        assert_eq!(world.effects().await, ids(&events));
    });
}

#[test]
fn what_follows_from_a_message_that_failed_waits_for_it() {
    run(async {
        let mut world = World::new().await;
        let events = chain(3);
        let probe = Probe::new(|it, n| match (it.seq, n) {
            (1, 1 | 2) => Act::Refuse,
            _ => Act::Apply,
        });
        world.publish(&events).await;
        world.run(&probe);
        world.until_done(3).await;
        world.stop().await;
        assert_eq!(world.effects().await, ids(&events));
        assert_eq!(probe.calls(&events[2]), 1, "no attempt for waiting");
    });
}

#[test]
fn what_follows_from_a_dead_letter_waits_until_it_is_decided_about() {
    for is_redriven in [true, false] {
        run(async {
            let mut world = World::new().await;
            let events = chain(3);
            let other = message("other");
            let probe = Probe::new(|it, n| match (it.seq, n) {
                (2, 1..=3) => Act::Refuse,
                _ => Act::Apply,
            });
            world.publish(&events).await;
            world.publish(slice::from_ref(&other)).await;
            world.run(&probe);
            world.until_letters(1).await;
            // Long enough for the gap to time out a few times.
            tokio::time::sleep(3 * world.settings.gap_timeout).await;
            let waits = (events[2].id, "gap".to_owned(), 0);
            assert_eq!(world.waiting().await, [waits]);
            let mut effects = world.effects().await;
            effects.sort();
            assert_eq!(effects, [events[0].id, other.id]);

            let decide = [key(&events[1])];
            let (n, n_effects) = if is_redriven {
                let n = redrive(&world.ledger, &decide, "ann", "repaired").await;
                (n.unwrap(), 4)
            } else {
                let n = discard(&world.ledger, &decide, "ann", "a test order").await;
                (n.unwrap(), 3)
            };
            assert_eq!(n, 1);
            world.until_done(n_effects).await;
            world.stop().await;
            let mut effects = world.effects().await;
            effects.retain(|it| *it != other.id);
            let expected = if is_redriven {
                ids(&events)
            } else {
                vec![events[0].id, events[2].id]
            };
            assert_eq!(effects, expected);
        });
    }
}

#[test]
fn a_predecessor_that_is_lost_is_asked_for_again() {
    run(async {
        let mut world = World::new().await;
        let sent = enqueue(&world, 3).await;
        world.execute("DELETE FROM oncely.outbox_pending").await;
        let probe = Probe::new(|_, _| Act::Apply);
        world.run(&probe);
        world.publish(&[sent[0].clone(), sent[2].clone()]).await;

        let pending = "SELECT count(*) FROM oncely.outbox_pending";
        until(|| async { world.count(pending).await == 1 }).await;
        let again = again(&world).await;
        assert_eq!(again, [(sent[1].id, 2, sent[1].aggregate.hash(), 0)]);
        assert_eq!(world.effects().await, [sent[0].id]);
        // Asked for again and again, it is pending once.
        tokio::time::sleep(3 * world.settings.gap_timeout).await;
        assert_eq!(world.count(pending).await, 1);

        world.publish(&sent[1..2]).await;
        world.until_done(3).await;
        world.stop().await;
        assert_eq!(world.effects().await, ids(&sent));
    });
}

#[test]
fn a_predecessor_that_was_forgotten_holds_nobody_up() {
    run(async {
        let mut world = World::new().await;
        let events = chain(2);
        let horizon = format!("UPDATE oncely.inbox_horizon SET id = '{}'", events[1].id);
        world.execute(&horizon).await;
        world.run(&Probe::new(when("poison", Act::Refuse)));
        world.publish(&events[1..]).await;
        world.until_done(1).await;
        world.stop().await;
        assert_eq!(world.effects().await, [events[1].id]);
    });
}

/// Enqueues `n` events of one aggregate, and returns them as messages.
async fn enqueue(world: &World, n: usize) -> Vec<Message> {
    let tenant = Tenant::new("demo").unwrap();
    let aggregate = Aggregate::new(tenant, "order", "order-1").unwrap();
    let mut tx = world.ledger.begin().await.unwrap();
    let mut locked = LockedAggregate::created(aggregate.clone());
    let mut sent: Vec<Message> = Vec::new();
    for seq in (1..).take(n) {
        let event = Event::new(Topic::new(TOPIC).unwrap(), &b"changed"[..]);
        let id = outbox::enqueue(&mut tx, &mut locked, event).await.unwrap();
        let mut it = follower("order-1", seq, sent.last(), "changed");
        it.id = id;
        it.headers.clear();
        sent.push(it);
    }
    world.ledger.commit(tx).await.unwrap();
    sent
}

async fn again(world: &World) -> Vec<(Uuid, i64, i64, i16)> {
    let mut books = PgConnection::connect(world.database.url()).await.unwrap();
    sqlx::query_as("SELECT id, seq, aggregate_hash, attempts FROM oncely.outbox_pending")
        .fetch_all(&mut books)
        .await
        .unwrap()
}
