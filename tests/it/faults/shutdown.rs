//! `oncely serve` told to stop while it works.

use nix::sys::signal::Signal;
use oncely::testkit::{Postgres, PostgresOptions, Redis, RedisOptions};
use sqlx::{Connection, PgConnection};

use super::world::Pending;
use crate::harness::{Caller, Process, migrated, run, until};

async fn count(connection: &mut PgConnection, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement)
        .fetch_one(connection)
        .await
        .unwrap()
}

#[test]
fn a_request_in_flight_is_answered_before_the_process_ends() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let mut books = PgConnection::connect(database.url()).await.unwrap();
        for (amount, signal) in [(1, Signal::SIGTERM), (2, Signal::SIGINT)] {
            let key = format!("k-{amount}");
            let mut serve = Process::serve(database.url(), redis.url(), &[]);
            let (api, admin) = serve.serves().await;
            let caller = Caller::new(&api, "demo-token");
            let admin = Caller::new(&admin, "");
            assert_eq!(admin.get("/readyz").await.status, 200);

            let mut lock = PgConnection::connect(database.url()).await.unwrap();
            let take = "BEGIN; LOCK TABLE public.charges IN EXCLUSIVE MODE";
            sqlx::raw_sql(take).execute(&mut lock).await.unwrap();
            let request = Pending::charge(&caller, &key, amount);
            let n_waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
            while count(&mut books, n_waiting).await == 0 {
                tokio::task::yield_now().await;
            }
            serve.signal(signal);
            until(|| async { admin.get("/readyz").await.status == 503 }).await;
            sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();

            let reply = request.reply().await;
            assert_eq!(reply.idempotency_status(), "created", "{signal}");
            let (status, _, complaints) = serve.ended().await;
            assert_eq!(status.code(), Some(0), "{signal}: {complaints}");
        }
        let n_charges = "SELECT count(*) FROM public.charges";
        let n_records = "SELECT count(*) FROM oncely.records";
        assert_eq!(count(&mut books, n_charges).await, 2);
        assert_eq!(count(&mut books, n_records).await, 2);
    });
}

#[test]
fn work_whose_client_is_gone_ends_before_the_process_does() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let mut books = PgConnection::connect(database.url()).await.unwrap();
        let mut serve = Process::serve(database.url(), redis.url(), &[]);
        let caller = serve.caller().await;
        let mut lock = PgConnection::connect(database.url()).await.unwrap();
        let take = "BEGIN; LOCK TABLE public.charges IN EXCLUSIVE MODE";
        sqlx::raw_sql(take).execute(&mut lock).await.unwrap();
        let request = Pending::charge(&caller, "k-1", 1);
        let n_waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        while count(&mut books, n_waiting).await == 0 {
            tokio::task::yield_now().await;
        }
        request.hang_up().await;
        serve.signal(Signal::SIGTERM);
        sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
        assert_eq!(serve.ended().await.0.code(), Some(0));
        assert_eq!(
            count(&mut books, "SELECT count(*) FROM public.charges").await,
            1
        );
        assert_eq!(
            count(&mut books, "SELECT count(*) FROM oncely.records").await,
            1
        );
    });
}

#[test]
fn work_that_never_ends_is_cut_off_after_the_drain_and_said_so() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let variables = [
            ("ONCELY_FAILPOINTS", "store.transactional.after_work=hang"),
            ("ONCELY_HTTP__DRAIN_TIMEOUT", "1500ms"),
            ("ONCELY_HTTP__REQUEST_TIMEOUT", "1s"),
            ("ONCELY_LEDGER__OPERATION_TIMEOUT", "900ms"),
            ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "800ms"),
            ("ONCELY_LEDGER__ACQUIRE_TIMEOUT", "700ms"),
        ];
        let mut serve = Process::serve(database.url(), redis.url(), &variables);
        let caller = serve.caller().await;
        let reply = caller.charge("k-1", 1).await;
        assert_eq!(reply.code(), "outcome-unknown", "{reply:?}");
        serve.signal(Signal::SIGTERM);
        let (status, _, complaints) = serve.ended().await;
        assert_eq!(status.code(), Some(1), "{complaints}");
        assert!(
            complaints.contains("work in flight was cut off"),
            "{complaints}"
        );

        let mut serve = Process::serve(database.url(), redis.url(), &[]);
        let retry = serve.caller().await.charge("k-1", 1).await;
        assert_eq!(retry.idempotency_status(), "created", "{retry:?}");
        let mut books = PgConnection::connect(database.url()).await.unwrap();
        assert_eq!(
            count(&mut books, "SELECT count(*) FROM public.charges").await,
            1
        );
    });
}
