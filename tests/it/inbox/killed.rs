//! A message that takes its process with it is counted before the work, so it ends as a dead letter.

use std::slice;
use std::time::Duration;

use oncely::inbox::dead_letter::show;

use super::world::{Act, NOTHING, Probe, World, message};
use crate::harness::{run, until};

/// Ends the lease of whatever is being tried, as time would.
const LEASE_IS_OVER: &str = "UPDATE oncely.inbox_waiting SET ready_at = now() WHERE attempts > 0";

#[test]
fn a_message_that_kills_its_process_is_dead_after_n_attempts() {
    run(async {
        let mut world = World::redelivering_after(Duration::from_millis(50)).await;
        let it = message("poison");
        // It never comes back: each time the process is ended while it runs.
        let probe = Probe::new(|_, _| Act::Hang);
        world.settings.handler_timeout = Duration::from_mins(2);
        world.publish(slice::from_ref(&it)).await;
        for n in 1..=3 {
            world.run(&probe);
            until(|| async { probe.calls(&it) == n }).await;
            world.crash().await;
            world.execute(LEASE_IS_OVER).await;
        }
        world.run(&probe);
        world.until_letters(1).await;
        world.until_acknowledged().await;
        world.stop().await;
        assert_eq!(probe.calls(&it), 3, "not once more than attempts_max");
        assert_eq!(world.effects().await, NOTHING);
        assert_eq!(world.waiting().await, []);
        assert_eq!(world.inbox().await, [(it.id, "dead".to_owned())]);
        let letters = show(&world.ledger, it.id, None).await.unwrap();
        assert_eq!(letters[0].summary.reason, "killed");
        assert_eq!(letters[0].summary.attempts, 3);
        assert_eq!(letters[0].summary.error, "its last attempt never ended");
        assert_eq!(letters[0].payload, it.payload);
    });
}

#[test]
fn a_crash_in_waiting_counts_its_attempt_and_leaves_one_effect() {
    for (point, n_effects) in [
        ("inbox.waiting.after_count", 0),
        ("inbox.waiting.after_apply", 0),
        ("inbox.waiting.before_commit", 0),
        ("inbox.waiting.after_commit", 1),
    ] {
        run(async {
            let mut world = World::new().await;
            let it = message("paid");
            let probe = Probe::new(|_, n| if n == 1 { Act::Refuse } else { Act::Apply });
            let mut arrival = world.points.hold(point);
            world.publish(slice::from_ref(&it)).await;
            world.run(&probe);
            assert!(arrival.arrived().await);
            world.crash().await;
            assert_eq!(world.effects().await.len(), n_effects, "{point}");
            if n_effects == 0 {
                let counted = (it.id, "failed".to_owned(), 2);
                assert_eq!(world.waiting().await, [counted], "{point}");
            }
            world.execute(LEASE_IS_OVER).await;
            world.run(&probe);
            world.until_done(1).await;
            world.stop().await;
            assert_eq!(world.effects().await, [it.id], "{point}");
            assert_eq!(world.waiting().await, [], "{point}");
        });
    }
}

#[test]
fn a_worker_whose_lease_is_over_changes_nothing_any_more() {
    run(async {
        let mut world = World::new().await;
        let it = message("paid");
        let probe = Probe::new(|_, n| if n == 1 { Act::Refuse } else { Act::Apply });
        let mut late = world.points.hold("inbox.waiting.after_count");
        world.publish(slice::from_ref(&it)).await;
        world.run(&probe);
        assert!(late.arrived().await);
        world.execute(LEASE_IS_OVER).await;
        world.run(&probe);
        world.until_done(1).await;
        late.release();
        world.stop().await;
        assert_eq!(world.effects().await, [it.id]);
        assert_eq!(probe.calls(&it), 2);
    });
}
