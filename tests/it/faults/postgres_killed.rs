//! Postgres killed, frozen, and killed under load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use oncely::testkit::{Postgres, PostgresOptions};

use super::world::{Pending, hot_is_up, record_key};
use crate::harness::{App, Recipe, RedisChoice, migrated, run, shared_redis, until};

/// Impatient, so that an outage shows soon.
fn recipe(database_url: &str) -> Recipe {
    Recipe::default().database_at(database_url).with(|config| {
        config.ledger.acquire_timeout = Duration::from_secs(1);
        config.ledger.operation_timeout = Duration::from_secs(3);
        config.ledger.statement_timeout = Duration::from_secs(1);
    })
}

/// What Redis holds for a key.
async fn held_by_redis(app: &App, key: &str) -> bool {
    let mut redis = shared_redis().await;
    let mut exists = redis::cmd("EXISTS");
    let exists = exists.arg(record_key(app, key));
    exists.query_async(&mut redis).await.unwrap()
}

#[test]
fn without_postgres_the_answer_is_503_nothing_is_cached_and_it_heals_by_itself() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let app = App::made(recipe(database.url()).redis(RedisChoice::Shared)).await;
        let caller = app.caller();
        assert_eq!(caller.charge("k-0", 1000).await.status, 201);

        postgres.kill().await.unwrap();
        for _ in 0..3 {
            let reply = caller.charge("k-1", 1).await;
            let answer = (reply.status, reply.code());
            assert_eq!(answer, (503, "store-unavailable".to_owned()));
            assert!(!reply.header("retry-after").is_empty());
            assert!(!held_by_redis(&app, "k-1").await, "our latch was left");
        }
        until(|| async { !app.store.health().ledger_is_up }).await;

        postgres.restart().await.unwrap();
        until(|| async { caller.charge("k-1", 1).await.status == 201 }).await;
        until(|| async { app.store.health().ledger_is_up }).await;
        let again = caller.charge("k-1", 1).await;
        assert_eq!(again.idempotency_status(), "replayed");
        let old = caller.charge("k-0", 1000).await;
        assert_eq!(old.idempotency_status(), "replayed");
        hot_is_up(&app).await;
        assert_eq!((app.n_charges().await, app.n_records().await), (3, 3));
    });
}

#[test]
fn postgres_killed_between_any_two_steps_charges_once() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        // The test knows that all is well by what Redis holds.
        let app = App::made(recipe(database.url()).redis(RedisChoice::Shared)).await;
        let caller = app.caller();
        let stories = [
            ("after_latch", "store-unavailable", "created"),
            ("after_begin", "store-unavailable", "created"),
            ("after_acquire", "store-unavailable", "created"),
            ("after_work", "store-unavailable", "created"),
            ("before_commit", "outcome-unknown", "created"),
            ("after_commit", "", "replayed"),
            ("before_publish", "", "replayed"),
        ];
        for (amount, (point, code, end)) in (1..).zip(stories) {
            let key = format!("k-{amount}");
            // Healthy again: nothing is published before the epoch has been confirmed.
            let healthy = format!("healthy-{amount}");
            until(|| async {
                caller.charge(&healthy, 1000 + amount).await;
                held_by_redis(&app, &healthy).await
            })
            .await;
            let point = format!("store.transactional.{point}");
            let (held, first) = Pending::held(&app, &point, &key, amount).await;
            postgres.kill().await.unwrap();
            held.release();
            let first = first.reply().await;
            assert_eq!(first.code(), code, "{point}: {first:?}");
            postgres.restart().await.unwrap();
            until(|| async {
                let retry = caller.charge(&key, amount).await;
                let is_done = retry.status == 201;
                if is_done {
                    assert_eq!(retry.idempotency_status(), end, "{point}");
                }
                is_done
            })
            .await;
            assert_eq!(app.n_charges_of(amount).await, 1, "{point}");
        }
        assert_eq!((app.n_charges().await, app.n_records().await), (14, 14));
    });
}

#[test]
fn a_frozen_postgres_is_answered_503_and_after_its_thaw_the_truth() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let app = App::made(recipe(database.url())).await;
        let caller = app.caller();
        for (amount, point) in [(1, "before_latch"), (2, "after_work"), (3, "before_commit")] {
            let key = format!("k-{amount}");
            let point = format!("store.transactional.{point}");
            let (held, first) = Pending::held(&app, &point, &key, amount).await;
            postgres.pause().await.unwrap();
            held.release();
            let first = first.reply().await;
            assert_eq!(first.status, 503, "{point}: {first:?}");
            assert!(!held_by_redis(&app, &key).await, "{point}");

            postgres.resume().await.unwrap();

            until(|| async { caller.charge(&key, amount).await.status == 201 }).await;
            let again = caller.charge(&key, amount).await;
            assert_eq!(again.idempotency_status(), "replayed", "{point}");
            assert_eq!(app.n_charges_of(amount).await, 1, "{point}");
        }
        assert_eq!(app.n_open_transactions().await, 0);
    });
}

#[test]
fn postgres_killed_under_load_keeps_every_acknowledged_charge_and_doubles_none() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let app = App::made(recipe(database.url())).await;
        let n_acknowledged = AtomicUsize::new(0);
        let workers = (0..12_i64).map(|worker| {
            let (caller, n_acknowledged) = (app.caller(), &n_acknowledged);
            async move {
                let mut acknowledged = Vec::new();
                for at in 0..40 {
                    let amount = 1 + worker * 1000 + at;
                    until(|| async {
                        let reply = caller.charge(&format!("k-{amount}"), amount).await;
                        assert!(matches!(reply.status, 201 | 409 | 503), "{reply:?}");
                        reply.status == 201
                    })
                    .await;
                    n_acknowledged.fetch_add(1, Ordering::Relaxed);
                    acknowledged.push(amount);
                }
                acknowledged
            }
        });
        let kills = async {
            for n_done in [100, 250] {
                until(|| async { n_done <= n_acknowledged.load(Ordering::Relaxed) }).await;
                postgres.kill().await.unwrap();
                postgres.restart().await.unwrap();
            }
        };
        let (acknowledged, ()) = tokio::join!(join_all(workers), kills);
        let acknowledged = acknowledged.concat();
        let n_distinct = "SELECT count(DISTINCT amount) FROM public.charges";
        let n_acknowledged = i64::try_from(acknowledged.len()).unwrap();
        assert_eq!(app.count(n_distinct).await, n_acknowledged);
        assert_eq!(
            app.n_charges().await,
            n_acknowledged,
            "a key was charged twice"
        );
        assert_eq!(app.n_records().await, n_acknowledged);
    });
}
