//! Requests that take too long, and a process that stops while it works.

use std::time::Duration;

use oncely::app::{Server, open_store};
use oncely::config::Secret;
use oncely::domain::Tenant;
use oncely::failpoint::{Action, FailPoints};
use oncely::shutdown::Tasks;
use oncely::testkit::{Pair, key_prefix};
use sqlx::Connection as _;
use tokio::sync::oneshot;

use crate::harness::{App, Caller, Recipe, VARIANTS, migrated, run, until};

#[test]
fn a_request_that_takes_too_long_is_503_and_its_work_is_there_for_the_retry() {
    run(async {
        for variant in VARIANTS {
            let short = Duration::from_secs(1);
            let app = App::made(variant.recipe().with(|it| it.http.request_timeout = short)).await;
            let mut held = app.points.hold("store.transactional.after_work");
            let caller = app.caller();
            let first = caller.charge("k-1", 4200).await;
            assert!(held.arrived().await);
            assert_eq!(
                (first.status, first.code().as_str()),
                (503, "outcome-unknown"),
                "{variant:?}"
            );
            assert_eq!(first.idempotency_status(), "unknown", "{variant:?}");
            held.release();
            until(async || app.n_charges().await == 1).await;
            until(async || caller.charge("k-1", 4200).await.idempotency_status() == "replayed")
                .await;
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}

#[test]
fn an_operation_that_takes_too_long_is_rolled_back_and_the_retry_executes() {
    run(async {
        for variant in VARIANTS {
            let recipe = variant
                .recipe()
                .with(|it| it.ledger.operation_timeout = Duration::from_millis(1200));
            let app = App::made(recipe).await;
            // Postgres itself is slow: a lock that somebody else holds on the table.
            let mut other = sqlx::PgConnection::connect(&app.database_url)
                .await
                .unwrap();
            sqlx::raw_sql("BEGIN; LOCK TABLE public.charges IN EXCLUSIVE MODE")
                .execute(&mut other)
                .await
                .unwrap();
            let first = app.caller().charge("k-1", 4200).await;
            assert_eq!(
                (first.status, first.code().as_str()),
                (503, "store-unavailable"),
                "{variant:?}"
            );
            assert_eq!(first.header("retry-after"), "2");
            sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
            // The server needs a moment to see that the connection is gone.
            until(async || app.caller().charge("k-1", 4200).await.status == 201).await;
            assert_eq!(
                (app.n_charges().await, app.n_records().await),
                (1, 1),
                "{variant:?}"
            );
        }
    });
}

/// A whole server, its two addresses, and the way to stop it.
struct Running {
    caller: Caller,
    admin: Caller,
    points: FailPoints,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<bool>,
    _database: oncely::testkit::Database,
}

async fn serve() -> Running {
    let pair = Pair::shared().await.unwrap();
    let database = migrated(pair.postgres.url()).await;
    let mut config = Recipe::default().config;
    config.database_url = Some(Secret::new(database.url()));
    config.redis_url = Some(Secret::new(pair.redis.url()));
    config.hot.key_prefix = key_prefix();
    config
        .auth
        .allow(Tenant::new("demo").unwrap(), "demo-token");
    let (tasks, points) = (Tasks::default(), FailPoints::default());
    // The servers of tests do not sync to disk.
    config.ledger.allow_unsafe_durability = true;
    let store = open_store(&config, &tasks, points.clone()).await.unwrap();
    let render = std::sync::Arc::new(String::new);
    let server = Server::bind(&config, store, render).await.unwrap();
    let (api, admin) = server.addresses().unwrap();
    let (stop, stopped) = oneshot::channel();
    // Not among the tasks that it waits for itself.
    let ended = Tasks::default().spawn(server.run(async move { drop(stopped.await) }));
    Running {
        caller: Caller::new(&format!("http://{}", api.unwrap()), "demo-token"),
        admin: Caller::new(&format!("http://{admin}"), "none"),
        points,
        stop,
        ended,
        _database: database,
    }
}

#[test]
fn a_request_in_flight_is_answered_while_the_process_stops() {
    run(async {
        let mut server = serve().await;
        assert_eq!(server.admin.get("/readyz").await.json()["status"], "ready");
        let mut held = server.points.hold("store.transactional.after_work");
        let caller = server.caller.clone();
        let (reply, ()) = tokio::join!(caller.charge("k-1", 4200), async {
            assert!(held.arrived().await);
            server.stop.send(()).unwrap();
            until(async || server.admin.get("/readyz").await.status == 503).await;
            assert_eq!(
                server.admin.get("/readyz").await.json()["status"],
                "stopping"
            );
            assert_eq!(server.admin.get("/livez").await.status, 200);
            assert!(!server.ended.is_finished());
            held.release();
        });
        assert_eq!((reply.status, reply.idempotency_status()), (201, "created"));
        assert!((&mut server.ended).await.unwrap(), "it was drained in time");
        assert!(
            server
                .caller
                .try_send(http::Method::GET, "/charge/1", &[], "")
                .await
                .is_err()
        );
    });
}

#[test]
fn a_handler_that_fails_before_the_commit_leaves_the_key_free() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            app.points
                .arm("store.transactional.after_work", Action::Error);
            let first = app.caller().charge("k-1", 4200).await;
            assert_eq!(
                (first.status, first.code().as_str()),
                (503, "store-unavailable")
            );
            until(async || app.caller().charge("k-1", 4200).await.status == 201).await;
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}
