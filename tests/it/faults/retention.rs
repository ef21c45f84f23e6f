//! Records past their retention: pruned in batches, taken over by one, replayed by nobody.

use std::time::Duration;

use futures_util::future::join_all;

use super::world::record_key;
use crate::harness::{App, Recipe, Reply, VARIANTS, run, shared_redis, until};

/// Lets the records of these charges expire so long ago, in the ledger and in Redis.
async fn expire(app: &App, keys: &[String], ago: &str) {
    let mut redis = shared_redis().await;
    for key in keys {
        let id = u128::from_be_bytes(super::world::identity(key).id());
        app.execute(&format!(
            "UPDATE oncely.records SET created_at = now() - interval '100 h', \
             expires_at = now() - interval '{ago}' WHERE id = decode('{id:032x}', 'hex')"
        ))
        .await;
        let mut delete = redis::cmd("DEL");
        delete.arg(record_key(app, key));
        delete.exec_async(&mut redis).await.unwrap();
    }
}

#[test]
fn the_pruner_deletes_what_is_expired_in_batches_and_nothing_else() {
    run(async {
        let recipe = Recipe::default().with(|config| config.ledger.prune_batch = 10);
        let app = App::made(recipe).await;
        let caller = app.caller();
        let keys: Vec<String> = (1..=31).map(|it| format!("k-{it}")).collect();
        let mut firsts = Vec::new();
        for (amount, key) in (1..).zip(&keys) {
            firsts.push(caller.charge(key, amount).await);
        }
        expire(&app, &keys[..25], "2 h").await;
        // Expired, and still within the grace of a request that has just found it.
        expire(&app, &keys[25..26], "30 s").await;
        let ledger = app.store.ledger();
        assert_eq!(ledger.prune().await.unwrap(), (10, true));
        assert_eq!(ledger.prune().await.unwrap(), (10, true));
        assert_eq!(ledger.prune().await.unwrap(), (5, false));
        assert_eq!(ledger.prune().await.unwrap(), (0, false));
        assert_eq!((app.n_records().await, app.n_charges().await), (6, 31));
        for (amount, (key, first)) in (27..).zip(keys[26..].iter().zip(&firsts[26..])) {
            let again = caller.charge(key, amount).await;
            assert_eq!(again.idempotency_status(), "replayed");
            assert_eq!(again.essence(), first.essence());
        }
        assert_eq!(app.n_charges().await, 31);
    });
}

#[test]
fn two_pruners_at_once_and_requests_in_between_end_right() {
    run(async {
        let recipe = Recipe::default().with(|config| config.ledger.prune_batch = 3);
        let app = App::made(recipe).await;
        let caller = app.caller();
        let keys: Vec<String> = (1..=20).map(|it| format!("k-{it}")).collect();
        for (amount, key) in (1..).zip(&keys) {
            assert_eq!(caller.charge(key, amount).await.status, 201);
        }
        expire(&app, &keys, "2 h").await;
        let ledger = app.store.ledger();
        let prune = || async { while let (1.., _) = ledger.prune().await.unwrap() {} };
        let retries = async {
            for (amount, key) in (1..).zip(&keys) {
                let reply = caller.charge(key, amount).await;
                assert_eq!(reply.idempotency_status(), "created", "{reply:?}");
            }
        };
        tokio::join!(prune(), prune(), retries);
        for (amount, key) in (1..).zip(&keys) {
            let reply = caller.charge(key, amount).await;
            assert_eq!(reply.idempotency_status(), "replayed");
            assert_eq!(app.n_charges_of(amount).await, 2, "once in each retention");
        }
        assert_eq!(app.n_records().await, 20);
    });
}

#[test]
fn an_expired_record_that_was_not_pruned_is_taken_over_by_one() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            let caller = app.caller();
            for amount in 1..=5 {
                let key = format!("k-{amount}");
                let first = caller.charge(&key, amount).await;
                expire(&app, std::slice::from_ref(&key), "1 s").await;
                let takers = join_all((0..8).map(|_| caller.charge(&key, amount))).await;
                let created: Vec<&Reply> = takers
                    .iter()
                    .filter(|it| it.idempotency_status() == "created")
                    .collect();
                assert_eq!(created.len(), 1, "{variant:?}: {takers:?}");
                assert_ne!(created[0].body, first.body, "{variant:?}");
                for reply in takers.iter().filter(|it| it.status == 201) {
                    assert_eq!(reply.body, created[0].body, "{variant:?}");
                }
                assert_eq!(app.n_charges_of(amount).await, 2, "{variant:?}");
            }
            assert_eq!(app.n_records().await, 5, "{variant:?}");
        }
    });
}

#[test]
fn an_expired_answer_is_never_replayed_although_redis_may_keep_answers_longer() {
    run(async {
        let recipe = Recipe::with_redis().with(|config| {
            config.idempotency.retention = Duration::from_secs(3);
            config.hot.retention = Duration::from_hours(1);
        });
        let app = App::made(recipe).await;
        let caller = app.caller();
        let is_expired =
            "SELECT count(*) FROM oncely.records WHERE expires_at <= clock_timestamp()";
        let (mut n_created, mut n_replayed) = (0, 0);
        for _ in 1..=2 {
            // The answer's end lies in Redis, so no statement can bring it nearer: it has to come.
            until(|| async { app.count(is_expired).await == app.n_records().await }).await;
            let first = caller.charge("k-1", 1).await;
            assert_eq!(first.idempotency_status(), "created", "{first:?}");
            n_created += 1;
            let again = caller.charge("k-1", 1).await;
            // On a machine that took longer than the retention, the database says which it must be.
            match again.idempotency_status() {
                "replayed" => {
                    assert_eq!(again.essence(), first.essence());
                    n_replayed += 1;
                }
                _ => n_created += 1,
            }
            assert_eq!(app.n_charges().await, n_created);
        }
        assert!(0 < n_replayed, "the answer was never kept");
    });
}
