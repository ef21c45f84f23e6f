//! A COMMIT whose answer is lost, before it arrived and after it was done.

use std::time::Duration;

use oncely::config::Claim;
use oncely::testkit::Fired;

use super::world::{Pending, behind_a_proxy};
use crate::harness::{App, Recipe, RedisChoice, Reply, run};

const N_ROUNDS: i64 = 6;

fn recipes() -> impl Iterator<Item = (String, Recipe)> {
    let dialects = [Claim::Advisory, Claim::InsertWait];
    dialects.into_iter().flat_map(|dialect| {
        [true, false].map(|has_redis| {
            let recipe = Recipe::with_redis().claim(dialect);
            let name = format!("{dialect:?}, Redis: {has_redis}");
            if has_redis {
                (name, recipe)
            } else {
                (name, recipe.redis(RedisChoice::Absent))
            }
        })
    })
}

/// Charges with a cut that is armed just before COMMIT, so that it can hit no other.
async fn charge_with(app: &App, amount: i64, cut: impl FnOnce() -> Fired) -> Reply {
    let mut held = app.points.hold("store.transactional.before_commit");
    let first = Pending::charge(&app.caller(), &format!("k-{amount}"), amount);
    assert!(held.arrived().await);
    let fired = cut();
    held.release();
    let reply = first.reply().await;
    fired.wait().await.unwrap();
    reply
}

#[test]
fn a_commit_cut_after_it_was_done_is_answered_truthfully_at_once_or_at_the_retry() {
    run(async {
        for (name, recipe) in recipes() {
            let (app, proxy, _database) = behind_a_proxy(recipe).await;
            for amount in 1..=N_ROUNDS {
                let first = charge_with(&app, amount, || proxy.cut_after_commit()).await;
                assert!(
                    first.status == 201 || first.code() == "outcome-unknown",
                    "{name}: {first:?}"
                );
                let retry = app.caller().charge(&format!("k-{amount}"), amount).await;
                assert_eq!(retry.idempotency_status(), "replayed", "{name}: {first:?}");
                if first.status == 201 {
                    assert_eq!(retry.essence(), first.essence(), "{name}");
                }
                assert_eq!(app.n_charges_of(amount).await, 1, "{name}");
            }
            assert_eq!(app.n_records().await, N_ROUNDS, "{name}");
        }
    });
}

#[test]
fn a_commit_cut_before_it_arrives_is_not_known_and_the_retry_executes_once() {
    run(async {
        for (name, recipe) in recipes() {
            let (app, proxy, _database) = behind_a_proxy(recipe).await;
            for amount in 1..=N_ROUNDS {
                let first = charge_with(&app, amount, || proxy.cut_before_commit()).await;
                let answer = (first.status, first.code());
                assert_eq!(answer, (503, "outcome-unknown".to_owned()), "{name}");
                assert!(!first.header("retry-after").is_empty(), "{name}");
                let retry = after_in_flight(&app, amount).await;
                assert_eq!(retry.idempotency_status(), "created", "{name}");
                let again = app.caller().charge(&format!("k-{amount}"), amount).await;
                assert_eq!(again.essence(), retry.essence(), "{name}");
                assert_eq!(app.n_charges_of(amount).await, 1, "{name}");
            }
            assert_eq!(app.n_records().await, N_ROUNDS, "{name}");
        }
    });
}

#[test]
fn a_commit_whose_answer_never_comes_is_not_known_and_the_retry_replays_it() {
    run(async {
        for (name, recipe) in recipes() {
            let recipe = recipe.with(|config| {
                config.ledger.operation_timeout = Duration::from_millis(1500);
                config.ledger.statement_timeout = Duration::from_millis(500);
                config.ledger.acquire_timeout = Duration::from_millis(800);
            });
            let (app, proxy, _database) = behind_a_proxy(recipe).await;
            for amount in 1..=3 {
                let key = format!("k-{amount}");
                let point = "store.transactional.before_commit";
                let (held, first) = Pending::held(&app, point, &key, amount).await;
                proxy.eat_replies().await;
                held.release();
                let first = first.reply().await;
                assert_eq!(first.code(), "outcome-unknown", "{name}: {first:?}");
                proxy.pass().await;
                let retry = after_in_flight(&app, amount).await;
                assert_eq!(retry.idempotency_status(), "replayed", "{name}");
                assert_eq!(app.n_charges_of(amount).await, 1, "{name}");
            }
            assert_eq!(app.n_records().await, 3, "{name}");
        }
    });
}

/// The first answer after the server has noticed that a connection is gone.
async fn after_in_flight(app: &App, amount: i64) -> Reply {
    loop {
        let reply = app.caller().charge(&format!("k-{amount}"), amount).await;
        if !matches!(reply.code().as_str(), "in-flight" | "store-unavailable") {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
