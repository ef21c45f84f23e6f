//! FLUSHALL between any two steps, and under a storm.

use oncely::testkit::{Redis, RedisOptions};

use super::world::{POINTS, Pending, hot_path_replays, on};
use crate::harness::{App, run, storm, until};

/// What a second request meets while the first one is held, and what then becomes of the first.
fn expected(point: &str) -> (&'static str, &'static str) {
    match point.rsplit('.').next().unwrap() {
        // Nothing is claimed yet: the second is simply the first.
        "before_latch" | "after_latch" | "after_begin" => ("created", "replayed"),
        "after_acquire" | "after_work" | "before_commit" => ("in-flight", "created"),
        _ => ("replayed", "created"),
    }
}

#[test]
fn a_flush_between_any_two_steps_charges_once() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let app = App::made(on(&redis)).await;
        let caller = app.caller();
        for (amount, point) in (1..).zip(POINTS) {
            let key = format!("k-{amount}");
            let mut held = app.points.hold(point);
            let first = Pending::charge(&caller, &key, amount);
            assert!(held.arrived().await);
            redis.flush().await.unwrap();
            let second = caller.charge(&key, amount).await;
            held.release();
            let first = first.reply().await;
            let met = (second.idempotency_status(), first.idempotency_status());
            assert_eq!(met, expected(point), "{point}");
            if point.ends_with("before_latch") {
                // The hot path answers here; the others end in the ledger.
                assert_eq!(first.essence(), second.essence());
            }
            let retry = caller.charge(&key, amount).await;
            assert_eq!(retry.idempotency_status(), "replayed", "{point}");
            assert_eq!(retry.essence(), first.essence(), "{point}");
            assert_eq!(app.n_charges_of(amount).await, 1, "{point}");
        }
        hot_path_replays(&app, "k-last", 100).await;
        assert_eq!(app.n_open_transactions().await, 0);
    });
}

#[test]
fn storms_under_a_rain_of_flushes_charge_once_each() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let app = App::made(on(&redis)).await;
        let caller = app.caller();
        let storms = async {
            for amount in 1..=8 {
                let key = format!("k-{amount}");
                let tally = storm(&caller, &key, amount).await;
                assert!(tally.is_one(), "{amount}: {tally:?}");
                let retry = caller.charge(&key, amount).await;
                assert_eq!(retry.idempotency_status(), "replayed");
            }
        };
        let rain = async {
            until(|| async {
                redis.flush().await.unwrap();
                false
            })
            .await;
        };
        tokio::select! { () = storms => (), () = rain => () }
        for amount in 1..=8 {
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
        assert_eq!(app.n_records().await, 8);
    });
}
