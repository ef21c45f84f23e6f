//! Redis gone, frozen, and back again.

use std::time::Duration;

use oncely::hot::Status;
use oncely::testkit::{Redis, RedisOptions};

use super::world::{hot_is_up, hot_path_replays, on};
use crate::harness::{App, RedisChoice, VARIANTS, run, storm, until};

#[test]
fn without_redis_each_storm_charges_once_and_nobody_is_turned_away() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        for variant in VARIANTS.into_iter().filter(|it| it.has_redis()) {
            let at = RedisChoice::At(redis.url().to_owned());
            let app = App::made(variant.recipe().redis(at)).await;
            let caller = app.caller();
            assert!(storm(&caller, "k-1", 1).await.is_one(), "{variant:?}");

            redis.kill().await.unwrap();
            for amount in 2..=4 {
                let tally = storm(&caller, &format!("k-{amount}"), amount).await;
                assert!(tally.is_one(), "{variant:?}: {tally:?}");
            }
            let old = caller.charge("k-1", 1).await;
            assert_eq!(old.idempotency_status(), "replayed", "{variant:?}");
            assert_ne!(app.store.health().hot, Status::Up, "{variant:?}");

            redis.restart().await.unwrap();
            hot_path_replays(&app, "k-5", 5).await;
            assert!(storm(&caller, "k-6", 6).await.is_one(), "{variant:?}");
            for amount in 1..=6 {
                assert_eq!(app.n_charges_of(amount).await, 1, "{variant:?}");
            }
            assert_eq!(app.n_records().await, 7, "{variant:?}");
        }
    });
}

#[test]
fn a_redis_that_hangs_costs_a_few_requests_its_timeout_and_then_nobody() {
    run(async {
        let timeout = Duration::from_secs(3);
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let recipe = on(&redis).with(|config| {
            config.hot.timeout = timeout;
            config.hot.breaker_failures = 1;
            config.hot.breaker_pause = Duration::from_mins(10);
        });
        let app = App::made(recipe).await;
        let caller = app.caller();
        hot_path_replays(&app, "k-0", 1000).await;

        redis.pause().await.unwrap();
        assert_eq!(caller.charge("k-1", 1).await.status, 201);
        assert_ne!(app.store.health().hot, Status::Up);
        // Twenty of them in the time of ten timeouts, however busy the machine: they do not pay it.
        let charges = async {
            for amount in 2..=21 {
                let reply = caller.charge(&format!("k-{amount}"), amount).await;
                assert_eq!(reply.idempotency_status(), "created");
            }
        };
        let in_time = tokio::time::timeout(10 * timeout, charges).await;
        assert!(in_time.is_ok(), "the breaker did not spare them");

        redis.resume().await.unwrap();
        for amount in 1..=21 {
            let reply = caller.charge(&format!("k-{amount}"), amount).await;
            assert_eq!(reply.idempotency_status(), "replayed");
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
    });
}

#[test]
fn a_frozen_redis_charges_nobody_twice_and_serves_again_after_its_thaw() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let app = App::made(on(&redis)).await;
        let caller = app.caller();
        assert!(storm(&caller, "k-1", 1).await.is_one());
        for round in 0..3 {
            let amount = 10 * round + 2;
            redis.pause().await.unwrap();
            let tally = storm(&caller, &format!("k-{amount}"), amount).await;
            assert!(tally.is_one(), "{tally:?}");
            until(|| async { app.store.health().hot != Status::Up }).await;
            redis.resume().await.unwrap();
            // What was queued while it was frozen arrives now: late latches, late answers.
            let again = caller.charge(&format!("k-{amount}"), amount).await;
            assert_eq!(again.idempotency_status(), "replayed");
            hot_is_up(&app).await;
            hot_path_replays(&app, &format!("k-{}", amount + 1), amount + 1).await;
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
        assert_eq!((app.n_charges().await, app.n_records().await), (8, 8));
    });
}
