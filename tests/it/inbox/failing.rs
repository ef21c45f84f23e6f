//! What fails is tried N times and then a dead letter, and nobody else suffers.

use std::slice;
use std::time::Duration;

use oncely::inbox::dead_letter::show;

use super::world::{Act, Probe, World, ids, message, when};
use crate::harness::{run, until};

/// Publishes one message that does `act` among neighbours, and returns the stored error.
async fn poison(act: Act) -> String {
    let mut world = World::new().await;
    if act == Act::Hang {
        world.settings.handler_timeout = Duration::from_millis(300);
    }
    let probe = Probe::new(when("poison", act));
    let mut batch: Vec<_> = (0..5).map(|_| message("paid")).collect();
    let bad = message("poison");
    batch.insert(2, bad.clone());
    world.publish(&batch).await;
    world.run(&probe);
    world.until_letters(1).await;
    world.until_done(5).await;
    world.until_acknowledged().await;
    world.stop().await;

    let mut good = ids(&batch);
    good.retain(|it| *it != bad.id);
    assert_eq!(world.effects().await, good, "{act:?}");
    assert_eq!(world.waiting().await, [], "{act:?}");
    if act != Act::PassOver && act != Act::ViolateLate {
        assert_eq!(probe.calls(&bad), 3, "{act:?}: as often as attempts_max");
    }
    let dead = (bad.id, "dead".to_owned());
    assert!(world.inbox().await.contains(&dead), "{act:?}");
    let letters = show(&world.ledger, bad.id, Some("probe")).await.unwrap();
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert_eq!(letter.payload, bad.payload);
    assert_eq!(letter.headers, bad.headers);
    assert_eq!(letter.created_at, bad.created_at);
    assert_eq!((letter.previous, letter.summary.seq), (None, 1));
    assert_eq!(letter.summary.aggregate, bad.aggregate.id());
    assert_eq!(letter.summary.reason, "failed");
    assert_eq!(letter.summary.attempts, 3);
    assert_eq!((&letter.state[..], letter.audit.len()), ("dead", 0));
    letter.summary.error.clone()
}

#[test]
fn an_error_n_times_is_a_dead_letter_with_all_of_it() {
    run(async {
        assert_eq!(poison(Act::Refuse).await, "apply an order: no such order");
    });
}

#[test]
fn a_panic_n_times_is_a_dead_letter() {
    run(async {
        let error = poison(Act::Panic).await;
        assert_eq!(error, "the consumer panicked: an order that panics");
    });
}

#[test]
fn a_consumer_that_hangs_n_times_is_a_dead_letter() {
    run(async {
        let error = poison(Act::Hang).await;
        assert_eq!(error, "the consumer took longer than 300ms");
    });
}

#[test]
fn an_error_of_the_database_that_is_the_messages_own_counts() {
    run(async {
        let error = poison(Act::Raise("22003")).await;
        assert!(error.starts_with("apply an order: "), "{error}");
    });
}

/// COMMIT answers an aborted transaction without an error: it must not be acknowledged as applied.
#[test]
fn an_error_that_the_consumer_passes_over_is_no_success() {
    run(async {
        let error = poison(Act::PassOver).await;
        assert!(error.contains("passed over"), "{error}");
    });
}

#[test]
fn a_constraint_that_is_violated_at_commit_is_not_tried_for_ever() {
    run(async {
        let error = poison(Act::ViolateLate).await;
        assert!(error.starts_with("the commit was refused"), "{error}");
    });
}

#[test]
fn one_bad_message_of_a_hundred_leaves_ninety_nine_applied() {
    run(async {
        let mut world = World::new().await;
        world.settings.attempts_max = 1;
        let mut batch: Vec<_> = (0..99).map(|_| message("paid")).collect();
        let good = ids(&batch);
        let bad = message("poison");
        batch.insert(50, bad.clone());
        let probe = Probe::new(when("poison", Act::Refuse));
        world.publish(&batch).await;
        world.run(&probe);
        world.until_letters(1).await;
        world.until_done(99).await;
        world.until_acknowledged().await;
        assert_eq!(world.effects().await, good);
        assert_eq!(probe.calls(&bad), 1);
    });
}

#[test]
fn many_bad_messages_do_not_stop_the_good_ones() {
    run(async {
        let mut world = World::new().await;
        let mut batch = Vec::new();
        for _ in 0..10 {
            batch.extend([message("paid"), message("poison")]);
        }
        let probe = Probe::new(when("poison", Act::Refuse));
        world.publish(&batch).await;
        world.run(&probe);
        world.until_letters(10).await;
        world.until_done(10).await;
        world.stop().await;
        let mut good = batch.clone();
        good.retain(|it| it.payload == *"paid");
        let mut effects = world.effects().await;
        effects.sort();
        assert_eq!(effects, ids(&good));
        let bad = batch.iter().filter(|it| it.payload == *"poison");
        assert!(bad.into_iter().all(|it| probe.calls(it) == 3));
    });
}

#[test]
fn a_message_that_fails_at_first_is_applied_once_in_the_end() {
    run(async {
        let mut world = World::new().await;
        let it = message("paid");
        let probe = Probe::new(|_, n| if n < 3 { Act::Refuse } else { Act::Apply });
        world.publish(slice::from_ref(&it)).await;
        world.run(&probe);
        world.until_done(1).await;
        world.stop().await;
        assert_eq!(world.effects().await, [it.id]);
        assert_eq!(probe.calls(&it), 3);
        assert_eq!(world.waiting().await, []);
        assert_eq!(
            world.count("SELECT count(*) FROM oncely.dead_letter").await,
            0
        );
    });
}

#[test]
fn trouble_that_is_nobodys_fault_costs_no_attempt() {
    for code in ["40001", "40P01", "57P01", "08006"] {
        run(async {
            let mut world = World::new().await;
            let it = message("paid");
            // More often than there are attempts, on both paths: in the batch, and from waiting.
            let probe = Probe::new(
                move |_, n| {
                    if n < 20 { Act::Raise(code) } else { Act::Apply }
                },
            );
            world.publish(slice::from_ref(&it)).await;
            world.run(&probe);
            world.until_done(1).await;
            world.stop().await;
            assert_eq!(world.effects().await, [it.id], "{code}");
            assert_eq!(probe.calls(&it), 20, "{code}");
            assert_eq!(
                world.count("SELECT count(*) FROM oncely.dead_letter").await,
                0
            );
        });
    }
}

#[test]
fn messages_that_only_meet_trouble_do_not_hold_up_the_others() {
    run(async {
        let mut world = World::new().await;
        let batch = [message("stuck"), message("paid"), message("paid")];
        let probe = Probe::new(when("stuck", Act::Raise("40P01")));
        world.publish(&batch).await;
        world.run(&probe);
        world.until_done(2).await;
        world.until_acknowledged().await;
        assert_eq!(world.effects().await, ids(&batch[1..]));
        until(|| async {
            let waiting = world.waiting().await;
            waiting == [(batch[0].id, "redelivered".to_owned(), 0)]
        })
        .await;
        world.stop().await;
    });
}
