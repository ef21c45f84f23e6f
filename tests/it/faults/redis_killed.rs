//! Redis killed in the middle of a request, as a process and as a container.

use oncely::testkit::{Backend, Redis, RedisOptions, docker_or_say_so};

use super::world::{Pending, hot_path_replays, on};
use crate::harness::{App, run};

#[test]
fn redis_killed_in_the_middle_of_a_request_costs_nothing() {
    run(async {
        killed_in_the_middle(Redis::start_on(Backend::Local, RedisOptions::default()).await).await;
    });
}

#[test]
fn a_redis_container_killed_in_the_middle_of_a_request_costs_nothing() {
    run(async {
        if docker_or_say_so("a Redis container killed in the middle of a request").await {
            let options = RedisOptions::default();
            killed_in_the_middle(Redis::start_on(Backend::Docker, options).await).await;
        }
    });
}

/// Kills it after the latch and before COMMIT, and after COMMIT and before the hot write.
async fn killed_in_the_middle(redis: anyhow::Result<Redis>) {
    let redis = redis.unwrap();
    let app = App::made(on(&redis)).await;
    let caller = app.caller();
    let points = [
        ("store.transactional.before_commit", "in-flight"),
        ("store.transactional.before_publish", "replayed"),
    ];
    for (round, (point, meanwhile)) in (0..).zip(points) {
        hot_path_replays(&app, &format!("healthy-{round}"), 100 + round).await;
        for is_back_at_once in [false, true] {
            let amount = 1 + 2 * round + i64::from(is_back_at_once);
            let key = format!("k-{amount}");
            let mut held = app.points.hold(point);
            let first = Pending::charge(&caller, &key, amount);
            assert!(held.arrived().await);
            redis.kill().await.unwrap();
            if is_back_at_once {
                redis.restart().await.unwrap();
            }
            let duplicate = caller.charge(&key, amount).await;
            assert_eq!(duplicate.idempotency_status(), meanwhile, "{point}");
            held.release();
            let first = first.reply().await;
            assert_eq!(first.idempotency_status(), "created", "{point}");
            let retry = caller.charge(&key, amount).await;
            assert_eq!(retry.idempotency_status(), "replayed", "{point}");
            assert_eq!(retry.essence(), first.essence(), "{point}");
            if !is_back_at_once {
                redis.restart().await.unwrap();
            }
            hot_path_replays(&app, &format!("back-{amount}"), 200 + amount).await;
            let retry = caller.charge(&key, amount).await;
            assert_eq!(retry.idempotency_status(), "replayed", "{point}");
            assert_eq!(app.n_charges_of(amount).await, 1, "{point}");
        }
    }
}
