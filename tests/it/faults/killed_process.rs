//! The process killed by SIGKILL between any two steps, and its successor.

use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;
use oncely::config::Config;
use oncely::testkit::{Postgres, PostgresOptions, Redis, RedisOptions};
use sqlx::{Connection, PgConnection};

use super::world::{POINTS, Pending};
use crate::harness::{Process, migrated, run};

/// What the successor answers: whether the dead one had committed.
fn expected(point: &str) -> &'static str {
    match point.rsplit('.').next().unwrap() {
        "after_commit" | "before_publish" | "after_publish" => "replayed",
        _ => "created",
    }
}

async fn count(url: &str, amount: i64) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM public.charges WHERE amount = $1")
        .bind(amount)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn at_every_step(redis: &Redis, is_redis_killed: bool) {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let database = migrated(postgres.url()).await;
    for (amount, point) in (1..).zip(POINTS) {
        let key = format!("k-{amount}");
        let kill = format!("{point}=abort");
        let variables = [("ONCELY_FAILPOINTS", kill.as_str())];
        let mut first = Process::serve(database.url(), redis.url(), &variables);
        let caller = first.caller().await;
        assert!(
            Pending::charge(&caller, &key, amount)
                .outcome()
                .await
                .is_err()
        );
        let (status, ..) = first.ended().await;
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{point}");
        let died_at = tokio::time::Instant::now();
        if is_redis_killed {
            redis.kill().await.unwrap();
        }

        let mut second = Process::serve(database.url(), redis.url(), &[]);
        let caller = second.caller().await;
        // A latch this young may be believed; a start that takes less than that is rare.
        tokio::time::sleep_until(died_at + Config::default().hot.trust_window).await;
        let retry = caller.charge(&key, amount).await;
        assert_eq!(
            retry.idempotency_status(),
            expected(point),
            "{point}: {retry:?}"
        );
        let again = caller.charge(&key, amount).await;
        assert_eq!(again.idempotency_status(), "replayed", "{point}");
        assert_eq!(again.essence(), retry.essence(), "{point}");
        assert_eq!(count(database.url(), amount).await, 1, "{point}");
        second.signal(Signal::SIGTERM);
        assert!(second.ended().await.0.success());
        if is_redis_killed {
            redis.restart().await.unwrap();
        }
    }
}

#[test]
fn a_process_killed_at_any_step_has_a_successor_that_answers_right_at_once() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        at_every_step(&redis, false).await;
    });
}

#[test]
fn a_process_killed_together_with_redis_at_any_step_has_a_successor_that_answers_right_at_once() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        at_every_step(&redis, true).await;
    });
}
