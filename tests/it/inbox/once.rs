//! One effect for each message, and an acknowledgement only after its commit.

use std::slice;
use std::time::Duration;

use oncely::domain::Topic;
use oncely::failpoint::Action;
use oncely::testkit::{Fired, Proxy};

use super::world::{Act, NOTHING, Probe, TOPIC, World, ids, message};
use crate::harness::{run, until};

#[test]
fn a_message_that_is_published_sixteen_times_to_sixteen_runners_takes_effect_once() {
    run(async {
        let mut world = World::new().await;
        world.settings.batch = 1;
        let probe = Probe::new(|_, _| Act::Apply);
        for _ in 0..16 {
            world.run(&probe);
        }
        let it = message("paid");
        world.publish(&vec![it.clone(); 16]).await;
        world.until_done(1).await;
        world.until_acknowledged().await;
        world.stop().await;
        assert_eq!(world.effects().await, [it.id]);
        assert_eq!(world.inbox().await, [(it.id, "done".to_owned())]);
        assert_eq!(world.waiting().await, []);
    });
}

#[test]
fn a_batch_is_applied_in_one_transaction() {
    run(async {
        let mut world = World::new().await;
        let batch: Vec<_> = (0..100).map(|_| message("paid")).collect();
        world.publish(&batch).await;
        world.run(&Probe::new(|_, _| Act::Apply));
        world.until_done(100).await;
        world.until_acknowledged().await;
        assert_eq!(world.effects().await, ids(&batch));
        let transactions = "SELECT count(DISTINCT xmin::text) FROM public.effects";
        assert_eq!(world.count(transactions).await, 1);
    });
}

#[test]
fn a_crash_between_commit_and_acknowledgement_is_absorbed() {
    run(async {
        let mut world = World::redelivering_after(Duration::from_millis(50)).await;
        let it = message("paid");
        let probe = Probe::new(|_, _| Act::Apply);
        let mut arrival = world.points.hold("inbox.consume.before_ack");
        world.publish(slice::from_ref(&it)).await;
        world.run(&probe);
        assert!(arrival.arrived().await);
        world.crash().await;
        let topic = Topic::new(TOPIC).unwrap();
        assert_eq!(world.broker.held(&topic, "probe").len(), 1);

        world.run(&probe);
        world.until_acknowledged().await;
        world.stop().await;
        assert_eq!(world.effects().await, [it.id]);
        assert_eq!(probe.calls(&it), 1);
        assert_eq!(world.waiting().await, []);
    });
}

#[test]
fn a_crash_before_the_commit_leaves_nothing_and_it_comes_again() {
    for point in [
        "inbox.consume.after_receive",
        "inbox.consume.after_insert",
        "inbox.consume.after_apply",
        "inbox.consume.before_commit",
    ] {
        run(async {
            let mut world = World::redelivering_after(Duration::from_millis(50)).await;
            let it = message("paid");
            let probe = Probe::new(|_, _| Act::Apply);
            let mut arrival = world.points.hold(point);
            world.publish(slice::from_ref(&it)).await;
            world.run(&probe);
            assert!(arrival.arrived().await);
            // Nothing is acknowledged that is not committed.
            let topic = Topic::new(TOPIC).unwrap();
            assert_eq!(world.broker.held(&topic, "probe").len(), 1, "{point}");
            world.crash().await;
            assert_eq!(world.effects().await, NOTHING, "{point}");

            world.run(&probe);
            world.until_done(1).await;
            world.until_acknowledged().await;
            world.stop().await;
            assert_eq!(world.effects().await, [it.id], "{point}");
            assert_eq!(world.waiting().await, [], "{point}");
        });
    }
}

#[test]
fn a_commit_whose_outcome_is_unknown_is_not_acknowledged_and_takes_effect_once() {
    let cuts: [fn(&Proxy) -> Fired; 2] = [Proxy::cut_after_commit, Proxy::cut_before_commit];
    for cut in cuts {
        run(async {
            let mut world = World::new().await;
            let proxy = Proxy::start(world.database.url()).await.unwrap();
            world.through(proxy.url());
            // The waiting loop commits as well, so the cut is armed when the batch is about to.
            let mut arrival = world.points.hold("inbox.consume.before_commit");
            let probe = Probe::new(|_, _| Act::Apply);
            let it = message("paid");
            world.publish(slice::from_ref(&it)).await;
            world.run(&probe);
            assert!(arrival.arrived().await);
            let mut held = world.points.hold("inbox.consume.after_insert");
            let fired = cut(&proxy);
            arrival.release();
            fired.wait().await.unwrap();
            // Whoever's commit it was, nothing is acknowledged that was not known to be committed.
            if tokio::time::timeout(Duration::from_secs(5), held.arrived()).await == Ok(true) {
                let topic = Topic::new(TOPIC).unwrap();
                assert_eq!(world.broker.held(&topic, "probe").len(), 1);
                held.release();
            }
            world.until_done(1).await;
            world.until_acknowledged().await;
            world.stop().await;
            assert_eq!(world.effects().await, [it.id]);
            assert_eq!(world.waiting().await, []);
        });
    }
}

#[test]
fn a_graceful_stop_finishes_the_batch_and_counts_no_attempt() {
    run(async {
        let mut world = World::new().await;
        world.settings.batch = 2;
        let batch: Vec<_> = (0..4).map(|_| message("paid")).collect();
        let mut arrival = world.points.hold("inbox.consume.after_apply");
        let probe = Probe::new(|_, _| Act::Apply);
        world.publish(&batch).await;
        world.run(&probe);
        assert!(arrival.arrived().await);
        let release = async {
            tokio::task::yield_now().await;
            arrival.release();
        };
        tokio::join!(world.stop(), release);
        assert_eq!(world.effects().await, ids(&batch[..2]));
        world.until_acknowledged().await;

        world.run(&probe);
        world.until_done(4).await;
        world.stop().await;
        assert_eq!(world.effects().await, ids(&batch));
        assert_eq!(world.waiting().await, []);
        assert!(batch.iter().all(|it| probe.calls(it) == 1));
    });
}

#[test]
fn a_stop_of_an_idle_runner_is_quick_and_polls_count_nothing() {
    run(async {
        let mut world = World::redelivering_after(Duration::from_millis(20)).await;
        let probe = Probe::new(|_, _| Act::Apply);
        world.points.arm("inbox.consume.after_apply", Action::Error);
        let it = message("paid");
        world.publish(slice::from_ref(&it)).await;
        world.run(&probe);
        world.until_done(1).await;
        world.until_acknowledged().await;
        // Many rounds go by with nothing to do.
        world.run(&probe);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stopped = tokio::time::timeout(Duration::from_secs(10), world.stop()).await;
        assert!(stopped.is_ok());
        assert_eq!(world.effects().await, [it.id]);
        assert_eq!(world.waiting().await, []);
        assert_eq!(world.inbox().await, [(it.id, "done".to_owned())]);
    });
}

#[test]
fn an_outage_of_the_broker_ends_by_itself() {
    run(async {
        let mut world = World::new().await;
        world.broker.set_down(true);
        let probe = Probe::new(|_, _| Act::Apply);
        world.run(&probe);
        let registered = "SELECT count(*) FROM oncely.inbox_consumer WHERE consumer = 'probe'";
        until(|| async { world.count(registered).await == 1 }).await;
        world.broker.set_down(false);
        let it = message("paid");
        world.publish(slice::from_ref(&it)).await;
        world.until_done(1).await;
        world.broker.lose_everything();
        let other = message("shipped");
        world.publish(&[it.clone(), other.clone()]).await;
        world.until_done(2).await;
        world.until_acknowledged().await;
        assert_eq!(world.effects().await, [it.id, other.id]);
    });
}
