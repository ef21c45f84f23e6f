//! Replies get lost and time-outs strike: as many reservations as keys, and no piece missing.

use std::time::Duration;

use futures_util::future::join_all;
use oncely::shutdown::Tasks;
use oncely::testkit::{Pair, Proxy};
use sqlx::{Connection, PgConnection};

use super::world::{body, reserve};
use crate::harness::{App, Caller, Recipe, Reply, migrated, run, until};

/// One request for one piece.
async fn ask(caller: &Caller, key: &str) -> reqwest::Result<Reply> {
    let headers = [("idempotency-key", key)];
    let body = body("sku-1", 1);
    caller
        .try_send(http::Method::POST, "/reserve", &headers, &body)
        .await
}

/// Asks with the key until there is an answer to keep.
async fn until_answered(caller: &Caller, key: &str) -> u16 {
    loop {
        match ask(caller, key).await {
            Ok(reply) if matches!(reply.status, 201 | 404) || reply.code() == "out-of-stock" => {
                return reply.status;
            }
            Ok(reply) => assert!(matches!(reply.status, 409 | 503), "{reply:?}"),
            Err(_lost) => (),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn with_every_first_reply_lost_there_are_as_many_reservations_as_keys() {
    run(async {
        let app = App::start().await;
        app.stock(20).await;
        let proxy = Proxy::start(&app.url).await.unwrap();
        let caller = Caller::new(proxy.url(), "demo-token");
        for number in 1..=24 {
            let key = format!("k-{number}");
            let cut = proxy.cut_after("POST /reserve", "");
            assert!(ask(&caller, &key).await.is_err());
            cut.wait().await.unwrap();
            let expected = if number <= 20 { 201 } else { 409 };
            assert_eq!(until_answered(&caller, &key).await, expected, "{key}");
        }
        app.has_stock(0, 20, "lost replies").await;
        let books = (app.n_reservations().await, app.n_records().await);
        assert_eq!(books, (20, 24));
    });
}

#[test]
fn with_answers_of_commit_lost_there_are_as_many_reservations_as_keys() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        let database = migrated(pair.postgres.url()).await;
        let proxy = Proxy::start(database.url()).await.unwrap();
        let recipe = Recipe::default()
            .database_at(database.url())
            .through(proxy.url());
        let app = App::made(recipe).await;
        app.stock(100).await;
        let caller = app.caller();
        for number in 1..=12 {
            let key = format!("k-{number}");
            let (mine, of_first) = (caller.clone(), key.clone());
            let mut held = app.points.hold("store.transactional.before_commit");
            let first = Tasks::default().spawn(async move { reserve(&mine, &of_first, 1).await });
            assert!(held.arrived().await);
            let cut = if number % 2 == 0 {
                proxy.cut_after_commit()
            } else {
                proxy.cut_before_commit()
            };
            held.release();
            let first = first.await.unwrap();
            cut.wait().await.unwrap();
            assert!(matches!(first.status, 201 | 503), "{first:?}");
            assert_eq!(until_answered(&caller, &key).await, 201);
        }
        app.has_stock(88, 12, "lost answers of COMMIT").await;
        assert_eq!(app.n_reservations().await, 12);
    });
}

#[test]
fn requests_that_time_out_behind_the_hot_row_take_nothing_and_their_retries_take_once() {
    run(async {
        let app = App::made(Recipe::default().with(|config| {
            config.ledger.statement_timeout = Duration::from_millis(300);
            config.ledger.operation_timeout = Duration::from_millis(1500);
            config.ledger.acquire_timeout = Duration::from_millis(1400);
        }))
        .await;
        app.stock(40).await;
        let mut lock = PgConnection::connect(&app.database_url).await.unwrap();
        let take = "BEGIN; SELECT FROM public.inventory FOR UPDATE";
        sqlx::raw_sql(take).execute(&mut lock).await.unwrap();
        let caller = app.caller();
        let keys: Vec<String> = (1..=24).map(|it| format!("k-{it}")).collect();
        let replies = join_all(keys.iter().map(|key| reserve(&caller, key, 1))).await;
        assert!(replies.iter().all(|it| it.status == 503), "{replies:?}");
        app.has_stock(40, 0, "while it is locked").await;
        sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
        let retries = keys.iter().map(|key| until_answered(&caller, key));
        let statuses = join_all(retries).await;
        assert!(statuses.iter().all(|it| *it == 201), "{statuses:?}");
        until(async || app.n_open_transactions().await == 0).await;
        app.has_stock(16, 24, "afterwards").await;
        assert_eq!(app.n_reservations().await, 24);
    });
}
