//! A relay that dies between publishing and settling, many times: what it repeats is absorbed.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use uuid::Uuid;

use super::world::{World, metric};
use crate::harness::run;

/// How many charges each round makes.
const ROUND: i64 = 8;

#[test]
fn relays_killed_after_a_publish_repeat_it_and_every_effect_is_once() {
    run(async {
        let world = World::start([]).await;
        let mut service = world.serve("api,consumer", &[]);
        let (api, admin) = service.serves().await;
        let caller = crate::harness::Caller::new(&api, "demo-token");
        let mut n = 0;
        for point in ["after_publish", "before_settle"].repeat(5) {
            let kill = format!("outbox.relay.{point}=abort");
            let mut relay = world.serve("relay", &[("ONCELY_FAILPOINTS", &kill)]);
            relay.works().await;
            world.charge(&caller, n + 1, n + ROUND).await;
            n += ROUND;
            let (status, ..) = relay.ended().await;
            assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{point}");
        }
        let mut relay = world.serve("relay", &[]);
        relay.works().await;
        world.effects().await;
        world.quiet().await;
        world.assert_once(n).await;
        let absorbed = metric(&admin, "oncely_inbox_duplicates_total").await;
        let applied = metric(&admin, "oncely_effects_applied_total").await;
        assert!(0.0 < absorbed, "each of ten relays repeated something");
        assert_eq!(
            applied.to_string(),
            (3 * n).to_string(),
            "applied = charges"
        );
    });
}

#[test]
fn relays_killed_at_any_moment_lose_nothing_and_every_effect_is_once() {
    run(async {
        let world = World::start([]).await;
        let mut service = world.serve("api,consumer", &[]);
        let caller = service.caller().await;
        let mut n = 0;
        let mut moments = Vec::new();
        for _ in 0..15 {
            let mut relay = world.serve("relay", &[]);
            relay.works().await;
            // Chance finds moments that nobody has named; a failure prints them.
            let moment = Duration::from_millis(u64::from(Uuid::new_v4().as_bytes()[0]) / 2);
            moments.push(moment);
            let charging = world.charge(&caller, n + 1, n + ROUND);
            let killing = async {
                tokio::time::sleep(moment).await;
                relay.signal(Signal::SIGKILL);
            };
            tokio::join!(charging, killing);
            n += ROUND;
            relay.ended().await;
        }
        println!("killed after {moments:?}");
        let mut relay = world.serve("relay", &[]);
        relay.works().await;
        world.effects().await;
        world.quiet().await;
        world.assert_once(n).await;
    });
}

#[test]
fn a_relay_that_is_stopped_leaves_no_lease_and_its_successor_begins_at_once() {
    run(async {
        let world = World::start([]).await;
        // A lease that outlives the test: a successor that waited for it would be stuck.
        let long = [("ONCELY_OUTBOX__LEASE", "10m")];
        let mut service = world.serve("api,consumer", &[]);
        let caller = service.caller().await;
        for round in 0..3 {
            let mut relay = world.serve("relay", &long);
            relay.works().await;
            world
                .charge(&caller, round * ROUND + 1, (round + 1) * ROUND)
                .await;
            world.effects().await;
            relay.signal(Signal::SIGTERM);
            let (status, _, complaints) = relay.ended().await;
            assert!(status.success(), "{complaints}");
            let leased = "SELECT count(*) FROM oncely.outbox_shard WHERE now() < lease_until";
            assert_eq!(world.count(leased).await, 0);
        }
        world.quiet().await;
        world.assert_once(3 * ROUND).await;
    });
}
