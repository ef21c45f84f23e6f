//! Dead letters: found, shown, redriven and discarded, each decision once.

use std::collections::BTreeMap;
use std::slice;

use oncely::domain::Message;
use oncely::inbox::dead_letter::{Action, Error, Filter, Key, count, discard, list, redrive, show};
use oncely::inbox::register;

use super::world::{Act, NOTHING, Probe, World, ids, message, when};
use crate::harness::{run, until};

fn key(message: &Message) -> Key {
    Key {
        consumer: "probe".to_owned(),
        tenant: "demo".to_owned(),
        id: message.id,
    }
}

/// A world in which `n` messages are dead letters of a consumer that is repaired from attempt 4 on.
async fn buried(n: usize) -> (World, Vec<Message>) {
    let mut world = World::new().await;
    let probe = Probe::new(|_, n| if n <= 3 { Act::Refuse } else { Act::Apply });
    let batch: Vec<_> = (0..n).map(|_| message("paid")).collect();
    world.publish(&batch).await;
    world.run(&probe);
    world.until_letters(i64::try_from(n).unwrap()).await;
    world.until_acknowledged().await;
    (world, batch)
}

#[test]
fn a_letter_that_is_redriven_twice_is_applied_once() {
    run(async {
        let (mut world, batch) = buried(1).await;
        let keys = [key(&batch[0])];
        let (one, other) = tokio::join!(
            redrive(&world.ledger, &keys, "ann", "repaired"),
            redrive(&world.ledger, &keys, "bob", "clicked too"),
        );
        assert_eq!(one.unwrap() + other.unwrap(), 1);
        world.until_done(1).await;
        let late = redrive(&world.ledger, &keys, "bob", "again").await;
        assert_eq!(late.unwrap(), 0);
        world.stop().await;
        assert_eq!(world.effects().await, ids(&batch));
        assert_eq!(world.inbox().await, [(batch[0].id, "done".to_owned())]);
        let letters = show(&world.ledger, batch[0].id, None).await.unwrap();
        assert_eq!(letters[0].state, "redriven");
        assert_eq!(letters[0].audit.len(), 1);
        assert_eq!(letters[0].audit[0].action, Action::Redrive);
    });
}

#[test]
fn a_letter_whose_message_did_succeed_is_redriven_to_no_effect() {
    run(async {
        let (mut world, batch) = buried(1).await;
        // It was applied after all, and only its letter is there.
        world
            .execute("UPDATE oncely.inbox SET state = 'done'")
            .await;
        let n = redrive(&world.ledger, &[key(&batch[0])], "ann", "to be sure").await;
        assert_eq!(n.unwrap(), 1);
        until(|| async { world.waiting().await.is_empty() }).await;
        world.stop().await;
        assert_eq!(world.effects().await, NOTHING);
        assert_eq!(world.inbox().await, [(batch[0].id, "done".to_owned())]);
    });
}

#[test]
fn a_letter_that_fails_again_is_a_dead_letter_again_after_n_attempts() {
    run(async {
        let mut world = World::new().await;
        let probe = Probe::new(when("poison", Act::Refuse));
        let it = message("poison");
        world.publish(slice::from_ref(&it)).await;
        world.run(&probe);
        world.until_letters(1).await;
        redrive(&world.ledger, &[key(&it)], "ann", "hope")
            .await
            .unwrap();
        until(|| async { probe.calls(&it) == 6 }).await;
        world.until_letters(1).await;
        world.stop().await;
        assert_eq!(probe.calls(&it), 6);
        let letters = show(&world.ledger, it.id, None).await.unwrap();
        assert_eq!(
            (letters[0].summary.attempts, &letters[0].state[..]),
            (3, "dead")
        );
    });
}

#[test]
fn a_discarded_letter_is_never_applied_and_says_who_and_why() {
    run(async {
        let (mut world, batch) = buried(2).await;
        let one = [key(&batch[0])];
        assert_eq!(
            discard(&world.ledger, &one, "ann", "a test").await.unwrap(),
            1
        );
        assert_eq!(
            discard(&world.ledger, &one, "ann", "a test").await.unwrap(),
            0
        );
        assert_eq!(redrive(&world.ledger, &one, "bob", "no").await.unwrap(), 0);
        // The broker gives it once more.
        world.publish(&batch).await;
        world.until_acknowledged().await;
        world.stop().await;
        assert_eq!(world.effects().await, NOTHING);
        let states: BTreeMap<_, _> = world.inbox().await.into_iter().collect();
        assert_eq!(states[&batch[0].id], "discarded");
        assert_eq!(states[&batch[1].id], "dead");
        let letters = show(&world.ledger, batch[0].id, Some("probe"))
            .await
            .unwrap();
        let audit = &letters[0].audit[0];
        assert_eq!((&audit.who[..], &audit.why[..]), ("ann", "a test"));
        assert_eq!(audit.action.as_str(), "discard");
        assert_eq!(letters[0].state, "discarded");
    });
}

#[test]
fn letters_are_found_by_what_is_known_of_them() {
    run(async {
        let (mut world, batch) = buried(3).await;
        world.stop().await;
        let all = list(&world.ledger, &Filter::default(), 10).await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(
            list(&world.ledger, &Filter::default(), 2).await.unwrap(),
            all[..2]
        );
        let text = |it: &str| Some(it.to_owned());
        let count_of = async |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            count(&world.ledger, &filter).await.unwrap()
        };
        assert_eq!(count_of(&|it| it.consumer = text("probe")).await, 3);
        assert_eq!(count_of(&|it| it.consumer = text("relay")).await, 0);
        assert_eq!(count_of(&|it| it.topic = text("order.changed")).await, 3);
        assert_eq!(count_of(&|it| it.topic = text("order")).await, 0);
        assert_eq!(count_of(&|it| it.tenant = text("acme")).await, 0);
        assert_eq!(count_of(&|it| it.reason = text("failed")).await, 3);
        assert_eq!(count_of(&|it| it.reason = text("killed")).await, 0);
        assert_eq!(count_of(&|it| it.ids = ids(&batch[1..])).await, 2);
        let at = |place: usize| Some(all[place].dead_at);
        assert_eq!(count_of(&|it| it.since = at(1)).await, 2);
        assert_eq!(count_of(&|it| it.until = at(1)).await, 1);
    });
}

#[test]
fn a_message_below_the_horizon_is_put_aside_and_applied_only_when_redriven() {
    for n_deliveries in [1, 2] {
        run(async {
            let mut world = World::new().await;
            let old = message("paid");
            let new = message("paid");
            let raise = format!("UPDATE oncely.inbox_horizon SET id = '{}'", new.id);
            world.execute(&raise).await;
            let probe = Probe::new(|_, _| Act::Apply);
            let both = [old.clone(), new.clone()];
            for _ in 0..n_deliveries {
                world.publish(&both).await;
            }
            world.run(&probe);
            world.until_letters(1).await;
            world.until_done(1).await;
            world.until_acknowledged().await;
            assert_eq!(world.effects().await, [new.id]);
            assert_eq!(world.inbox().await, [(new.id, "done".to_owned())]);
            let letters = show(&world.ledger, old.id, None).await.unwrap();
            assert_eq!(letters[0].summary.reason, "quarantined");
            assert_eq!(letters[0].payload, old.payload);

            let n = redrive(&world.ledger, &[key(&old)], "ann", "it was lost").await;
            assert_eq!(n.unwrap(), 1);
            until(|| async { world.effects().await.len() == 2 }).await;
            // It comes again from the broker: nobody remembers it, and it is not applied.
            world.publish(slice::from_ref(&old)).await;
            world.until_acknowledged().await;
            world.stop().await;
            assert_eq!(world.effects().await, [new.id, old.id]);
            assert_eq!(world.waiting().await, []);
        });
    }
}

#[test]
fn a_letter_of_the_relay_is_pending_again_or_discarded_for_every_consumer() {
    run(async {
        let app = crate::harness::App::start().await;
        app.caller().charge("k", 7).await;
        app.execute(
            "INSERT INTO oncely.dead_letter
                (consumer, id, tenant, topic, kind, aggregate, seq, previous, headers, payload,
                 created_at, reason, attempts, error)
             SELECT 'relay', id, tenant, topic, kind, aggregate, seq, previous, headers, payload,
                 created_at, 'unpublishable', 8, 'refused' FROM oncely.outbox_event;
             DELETE FROM oncely.outbox_pending",
        )
        .await;
        let ledger = app.store.ledger();
        let found = list(ledger, &Filter::default(), 10).await.unwrap();
        let keys = [found[0].key.clone()];
        assert_eq!(redrive(ledger, &keys, "ann", "repaired").await.unwrap(), 1);
        let pending = "SELECT count(*) FROM oncely.outbox_pending p JOIN oncely.outbox_event e
            ON (e.id, e.tenant, e.shard, e.position, e.seq) =
               (p.id, p.tenant, p.shard, p.position, p.seq)
            WHERE p.attempts = 0 AND p.next_at IS NULL";
        assert_eq!(app.count(pending).await, 1);
        let hash = "SELECT count(DISTINCT aggregate_hash) FROM oncely.outbox_pending";
        assert_eq!(app.count(hash).await, 1);

        app.execute("UPDATE oncely.dead_letter SET state = 'dead'")
            .await;
        assert_eq!(discard(ledger, &keys, "ann", "broken").await.unwrap(), 1);
        let discarded = "SELECT count(*) FROM oncely.inbox WHERE state = 'discarded'";
        assert_eq!(
            app.count(discarded).await,
            3,
            "inventory, journal, receipts"
        );

        app.execute(
            "UPDATE oncely.dead_letter SET state = 'dead'; DELETE FROM oncely.outbox_event",
        )
        .await;
        let gone = redrive(ledger, &keys, "ann", "again").await;
        assert!(matches!(gone, Err(Error::EventGone(id)) if id == keys[0].id));
        let dead = "SELECT count(*) FROM oncely.dead_letter WHERE state = 'dead'";
        assert_eq!(app.count(dead).await, 1, "all or none");
    });
}

#[test]
fn a_consumer_is_registered_once_and_a_wrong_name_is_refused() {
    run(async {
        let world = World::new().await;
        let topic = message("paid").topic;
        for _ in 0..2 {
            register(&world.ledger, "probe", &topic).await.unwrap();
        }
        let n = "SELECT count(*) FROM oncely.inbox_consumer WHERE consumer = 'probe'";
        assert_eq!(world.count(n).await, 1);
        let refused = register(&world.ledger, "relay", &topic).await;
        assert_eq!(
            refused.unwrap_err().to_string(),
            "register the consumer relay"
        );
    });
}
