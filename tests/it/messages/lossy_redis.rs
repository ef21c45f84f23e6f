//! A Redis that loses messages which it had acknowledged: power cut, flush, deleted stream, fail-over
//! to a stale replica. Nobody steps in, and every effect is once.

use std::time::Duration;

use oncely::testkit::{Backend, Proxy, Redis, RedisOptions};
use redis::aio::MultiplexedConnection;

use super::world::{World, metric};
use crate::harness::{Process, redis_at, run, until};

const STREAM: &str = "t:s:charge.succeeded";

async fn length(redis: &mut MultiplexedConnection) -> i64 {
    let mut ask = redis::cmd("XLEN");
    ask.arg(STREAM).query_async(redis).await.unwrap()
}

/// Waits until everything that was enqueued is published.
async fn published(world: &World) {
    until(|| async {
        world
            .count("SELECT count(*) FROM oncely.outbox_pending")
            .await
            == 0
    })
    .await;
}

/// Lets consumers loose on what is there, and fails unless each charge takes effect once.
async fn consumed(world: &World, n: i64) -> Process {
    let mut consumer = world.serve("consumer", &[]);
    consumer.works().await;
    world.effects().await;
    world.quiet().await;
    world.assert_once(n).await;
    consumer
}

#[test]
fn a_power_cut_that_loses_acknowledged_messages_costs_no_effect() {
    run(async {
        let world = World::start(["--appendonly", "yes", "--appendfsync", "everysec"]).await;
        let mut service = world.serve("api,relay", &[]);
        let (api, admin) = service.serves().await;
        let caller = crate::harness::Caller::new(&api, "demo-token");
        world.charge(&caller, 1, 100).await;
        published(&world).await;
        let before = length(&mut redis_at(world.redis.url()).await).await;
        assert!(100 <= before, "{before}");
        world.redis.lose_power(20_000).await.unwrap();
        // What the relay finds missing it publishes again by itself: the length alone would hide the
        // loss, so it is the broker's change that is looked for.
        until(|| async { 0.0 < metric(&admin, "oncely_outbox_republished_total").await }).await;
        assert!(0.0 < metric(&admin, "oncely_broker_changes_total").await);
        consumed(&world, 100).await;
    });
}

#[test]
fn a_redis_that_forgets_everything_again_and_again_costs_no_effect() {
    run(async {
        let world = World::start([]).await;
        let mut service = world.serve("api,relay,consumer", &[]);
        let caller = service.caller().await;
        for round in 0..6 {
            let charging = world.charge(&caller, round * 30 + 1, (round + 1) * 30);
            let flushing = async {
                for _ in 0..4 {
                    tokio::time::sleep(Duration::from_millis(25)).await;
                    world.redis.flush().await.unwrap();
                }
            };
            tokio::join!(charging, flushing);
        }
        world.effects().await;
        world.quiet().await;
        world.assert_once(180).await;
    });
}

#[test]
fn a_stream_that_was_deleted_costs_no_effect() {
    run(async {
        let world = World::start([]).await;
        let mut service = world.serve("api,relay", &[]);
        let caller = service.caller().await;
        world.charge(&caller, 1, 50).await;
        published(&world).await;
        let mut redis = redis_at(world.redis.url()).await;
        let n_deleted: i64 = redis::cmd("DEL")
            .arg(STREAM)
            .query_async(&mut redis)
            .await
            .unwrap();
        assert_eq!(n_deleted, 1);
        consumed(&world, 50).await;
    });
}

#[test]
fn a_redis_killed_under_load_again_and_again_costs_no_effect() {
    run(async {
        let world = World::start(["--appendonly", "yes", "--appendfsync", "everysec"]).await;
        let mut service = world.serve("api,relay,consumer", &[]);
        let caller = service.caller().await;
        for round in 0..4 {
            let charging = world.charge(&caller, round * 40 + 1, (round + 1) * 40);
            let killing = async {
                tokio::time::sleep(Duration::from_millis(60)).await;
                world.redis.kill().await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
                world.redis.restart().await.unwrap();
            };
            tokio::join!(charging, killing);
        }
        world.effects().await;
        world.quiet().await;
        world.assert_once(160).await;
    });
}

#[test]
fn a_fail_over_to_a_replica_that_lacked_the_last_messages_costs_no_effect() {
    run(async {
        let world = World::start(["--repl-diskless-sync-delay", "0"]).await;
        let options = RedisOptions::with(["--repl-diskless-sync-delay", "0"]);
        let replica = Redis::start_on(Backend::Local, options).await.unwrap();
        let link = Proxy::start(world.redis.url()).await.unwrap();
        let mut at_replica = redis_at(replica.url()).await;
        let address = link.address();
        let () = redis::cmd("REPLICAOF")
            .arg(address.ip().to_string())
            .arg(address.port())
            .query_async(&mut at_replica)
            .await
            .unwrap();

        let mut service = world.serve("api,relay", &[]);
        let (api, admin) = service.serves().await;
        let caller = crate::harness::Caller::new(&api, "demo-token");
        world.charge(&caller, 1, 40).await;
        published(&world).await;
        let connection = at_replica.clone();
        until(|| async { 40 <= length(&mut connection.clone()).await }).await;

        link.cut().await;
        world.charge(&caller, 41, 80).await;
        published(&world).await;
        assert_eq!(length(&mut at_replica).await, 40, "the replica is stale");
        let () = redis::cmd("REPLICAOF")
            .arg("NO")
            .arg("ONE")
            .query_async(&mut at_replica)
            .await
            .unwrap();
        world.redis.kill().await.unwrap();
        world.name.lead_to(replica.url()).await.unwrap();

        until(|| async { 0.0 < metric(&admin, "oncely_broker_changes_total").await }).await;
        let world = World {
            redis: replica,
            ..world
        };
        consumed(&world, 80).await;
    });
}
