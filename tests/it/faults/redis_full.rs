//! A Redis without room that evicts nothing.

use oncely::hot::{Reason, Status};
use oncely::testkit::{Redis, RedisOptions};

use super::world::{hot_path_replays, is_marked, mark_ledger, on};
use crate::harness::{App, redis_at, run, storm, until};

#[test]
fn a_full_redis_still_replays_turns_nobody_away_and_takes_answers_again_once_it_has_room() {
    run(async {
        let options =
            RedisOptions::with(["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
        let redis = Redis::start(options).await.unwrap();
        let app = App::made(on(&redis)).await;
        let caller = app.caller();
        assert!(storm(&caller, "k-0", 1000).await.is_one());

        fill(redis.url()).await;
        for amount in 1..=3 {
            let tally = storm(&caller, &format!("k-{amount}"), amount).await;
            assert!(tally.is_one(), "{tally:?}");
        }
        let full = Status::Degraded {
            reason: Reason::Full,
        };
        assert_eq!(app.store.health().hot, full);
        mark_ledger(&app).await;
        let old = caller.charge("k-0", 1000).await;
        assert!(!is_marked(&old), "what Redis has it still replays");
        let new = caller.charge("k-1", 1).await;
        assert!(
            is_marked(&new),
            "what Redis could not take the ledger replays"
        );

        redis.flush().await.unwrap();
        assert_eq!(caller.charge("k-4", 4).await.status, 201);
        until(|| async { app.store.health().hot == Status::Up }).await;
        hot_path_replays(&app, "k-5", 5).await;
        for amount in [1000, 1, 2, 3, 4, 5] {
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
    });
}

/// Writes until Redis refuses, and takes away the room that its clients' buffers give back.
async fn fill(url: &str) {
    let mut connection = redis_at(url).await;
    for (n, size) in [64 * 1024, 1024, 16].into_iter().enumerate() {
        let value = vec![b'x'; size];
        for at in 0.. {
            let mut set = redis::cmd("SET");
            set.arg(format!("ballast-{n}-{at}")).arg(&value);
            if let Err(error) = set.exec_async(&mut connection).await {
                assert_eq!(error.code(), Some("OOM"));
                break;
            }
        }
    }
    let mut limit = redis::cmd("CONFIG");
    limit.arg("SET").arg("maxmemory").arg("2mb");
    limit.exec_async(&mut connection).await.unwrap();
}
