//! Incidents on the way of events: the broker, the hot path's Redis, relay and consumer, each a process.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::world::{Incident, World};
use crate::harness::run;

/// Between two charges.
const PAUSE: Duration = Duration::from_millis(100);

#[test]
fn events_stop_on_their_way_and_the_runbook_ends_each_incident() {
    run(async {
        let mut world = World::start(&[
            ("api", "oncely serve --role api", &[]),
            ("relay", "oncely relay", &[]),
            ("consumer", "oncely consume", &[]),
        ])
        .await;
        let caller = world.caller("api");
        let mut charges = tokio::task::JoinSet::new();
        charges.spawn(async move {
            for n in 1.. {
                caller.charge(&format!("k-{n}"), n).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        tokio::join!(the_broker_is_gone(&world), redis_hangs(&world));
        relay_and_consumer_stand_still(&mut world).await;
        charges.shutdown().await;
        let late = "SELECT count(*) FROM oncely.dead_letter";
        assert_eq!(world.count(late).await, 0, "no incident has cost an event");
    });
}

async fn the_broker_is_gone(world: &World) {
    world.broker.kill().await.unwrap();
    let mut incident = Incident::of(world, "OncelyOutboxLag", "relay").await;
    let said = incident.look().await;
    assert!(said.contains("oncely_broker_up 0"), "{said}");
    assert!(said.contains("Could not connect"), "{said}");
    world.broker.restart().await.unwrap();
    incident.note("Redis is brought back");
    incident.ends().await;
}

async fn redis_hangs(world: &World) {
    world.hot.pause().await.unwrap();
    let mut incident = Incident::of(world, "OncelyHotPathDegraded", "api").await;
    incident.shell.set("ONCELY_REDIS_URL", world.hot.url());
    let said = incident.look().await;
    assert!(said.contains("degraded"), "{said}");
    assert!(said.contains("^C"), "it hangs: {said}");
    world.hot.resume().await.unwrap();
    incident.note("Redis goes on");
    incident.ends().await;
}

async fn relay_and_consumer_stand_still(world: &mut World) {
    world.signal("relay", Signal::SIGSTOP);
    world.signal("consumer", Signal::SIGSTOP);
    let mut relay = Incident::of(world, "OncelyRelaySilent", "api").await;
    let said = relay.look().await;
    assert!(said.contains("nobody"), "{said}");
    let mut down = Incident::of(world, "OncelyProcessDown", "relay").await;
    down.look().await;
    let mut consumer = Incident::of(world, "OncelyConsumerSilent", "api").await;
    consumer.look().await;
    let mut unconfirmed = Incident::of(world, "OncelyEventsUnconfirmed", "api").await;
    let said = unconfirmed.look().await;
    assert!(said.contains("receipts"), "{said}");

    let typed = (relay.start(), consumer.start());
    let pages = [relay, down, consumer, unconfirmed].map(Incident::put_by);
    // A process that stands still is killed: that is safe at any moment.
    world.begin(("relay", &typed.0, &[])).await;
    world.begin(("consumer", &typed.1, &[])).await;
    for page in pages {
        page.taken_up(world).ends().await;
    }
}
