//! The first one runs elsewhere: another store on the same ledger, or a process of its own.

use nix::sys::signal::Signal;
use oncely::testkit::{Pair, Postgres, PostgresOptions, key_prefix};
use sqlx::{Connection, PgConnection};

use super::world::{charge, first, has_asked_again, is_replay, second, seeing};
use crate::harness::{App, Caller, Process, Recipe, RedisChoice, migrated, run, until};

#[test]
fn an_end_in_another_process_is_found_by_asking() {
    run(async {
        for (variant, recipe) in seeing() {
            let what = format!("{variant:?}");
            let claim = recipe.config.ledger.claim;
            let redis = recipe.redis.clone();
            let here = App::made(recipe).await;
            let beside = Recipe::default().redis(redis).claim(claim).beside(&here);
            let there = App::made(beside).await;
            let (held, first) = first(&here).await;
            let second = second(&there, "wait=10").await;
            // The first one's mark is believed no longer, and the ledger is asked.
            for _ in 0..6 {
                has_asked_again(&there).await;
            }
            held.release();
            let (first, second) = (first.reply().await, second.reply().await);
            is_replay(&second, &first, &what);
            let books = (here.n_charges().await, here.n_records().await);
            assert_eq!(books, (1, 1), "{what}");
        }
    });
}

/// A process whose first charge writes and then hangs, and another one on the same servers.
async fn killed_while_another_waits(redis_url: &str) {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let database = migrated(postgres.url()).await;
    let prefix = key_prefix();
    let serve = |points: &str| {
        let variables = [
            ("ONCELY_HOT__KEY_PREFIX", prefix.as_str()),
            ("ONCELY_FAILPOINTS", points),
        ];
        Process::serve(database.url(), redis_url, &variables)
    };
    let mut victim = serve("store.transactional.after_work=hang");
    let mut survivor = serve("");
    let early = victim.caller().await;
    let (api, admin) = survivor.serves().await;
    let late = Caller::new(&api, "demo-token");
    let first = charge(&early, "");
    let mut books = PgConnection::connect(database.url()).await.unwrap();
    let n_locked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                    (SELECT oid FROM pg_database WHERE datname = current_database())";
    while sqlx::query_scalar::<_, i64>(n_locked)
        .fetch_one(&mut books)
        .await
        .unwrap()
        == 0
    {
        tokio::task::yield_now().await;
    }
    let second = charge(&late, "wait=10");
    shows(&admin, "oncely_waiting_requests 1").await;
    victim.signal(Signal::SIGKILL);
    let reply = second.reply().await;
    assert_eq!(
        (reply.status, reply.idempotency_status()),
        (201, "created"),
        "{reply:?}"
    );
    first.hang_up();
    shows(&admin, "oncely_waiting_requests 0").await;
    shows(&admin, "oncely_waits_total{end=\"answered\"} 1").await;
    let n_charges: i64 = sqlx::query_scalar("SELECT count(*) FROM public.charges")
        .fetch_one(&mut books)
        .await
        .unwrap();
    assert_eq!(n_charges, 1);
    survivor.signal(Signal::SIGTERM);
    assert!(survivor.ended().await.0.success());
}

async fn shows(admin: &str, line: &str) {
    let admin = Caller::new(admin, "");
    until(async || {
        let text = admin.get("/metrics").await.body;
        String::from_utf8_lossy(&text).lines().any(|it| it == line)
    })
    .await;
}

#[test]
fn where_the_first_ones_process_is_killed_who_waits_elsewhere_executes() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        killed_while_another_waits(pair.redis.url()).await;
    });
}

#[test]
fn where_the_first_ones_process_is_killed_who_waits_elsewhere_executes_without_redis() {
    run(async { killed_while_another_waits("redis://127.0.0.1:1/0").await });
}

#[test]
fn a_process_that_is_told_to_stop_answers_those_who_wait_before_the_first_one_ends() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let pair = Pair::shared().await.unwrap();
        let database = migrated(postgres.url()).await;
        // Longer than the drain: a wait that nobody ends is cut off without an answer.
        let patient = [("ONCELY_IDEMPOTENCY__MAX_WAIT", "4m")];
        let mut serve = Process::serve(database.url(), pair.redis.url(), &patient);
        let (api, admin) = serve.serves().await;
        let caller = Caller::new(&api, "demo-token");
        let mut lock = PgConnection::connect(database.url()).await.unwrap();
        let take = "BEGIN; LOCK TABLE public.charges IN EXCLUSIVE MODE";
        sqlx::raw_sql(take).execute(&mut lock).await.unwrap();
        let first = charge(&caller, "");
        let n_waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
                         (SELECT oid FROM pg_database WHERE datname = current_database())";
        while sqlx::query_scalar::<_, i64>(n_waiting)
            .fetch_one(&mut lock)
            .await
            .unwrap()
            == 0
        {
            tokio::task::yield_now().await;
        }
        let second = charge(&caller, "wait=240");
        shows(&admin, "oncely_waiting_requests 1").await;
        serve.signal(Signal::SIGTERM);
        let reply = second.reply().await;
        assert_eq!((reply.status, &*reply.code()), (409, "in-flight"));
        assert!(!first.is_finished());
        sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
        assert_eq!(first.reply().await.status, 201);
        assert_eq!(serve.ended().await.0.code(), Some(0));
    });
}

#[test]
fn a_first_one_that_is_slow_elsewhere_is_waited_for_without_a_connection_of_ours() {
    run(async {
        let here = App::made(Recipe::default().redis(RedisChoice::Absent)).await;
        let beside = Recipe::default()
            .redis(RedisChoice::Absent)
            .with(|it| it.ledger.pool_size = 1)
            .beside(&here);
        let there = App::made(beside).await;
        let (held, first) = first(&here).await;
        let mut waiting = Vec::new();
        for _ in 0..8 {
            waiting.push(second(&there, "wait=10").await);
        }
        // Its only connection is free for others while eight wait.
        let caller = there.caller();
        for amount in 2..=5 {
            let reply = caller.charge(&format!("k-{amount}"), amount).await;
            assert_eq!(reply.status, 201, "{reply:?}");
        }
        held.release();
        let first = first.reply().await;
        for second in waiting {
            is_replay(&second.reply().await, &first, "elsewhere");
        }
    });
}
