//! Redis sets our latch, and its reply is lost.

use std::time::Duration;

use oncely::failpoint::Action;
use oncely::testkit::{Pair, Proxy};

use super::world::{Pending, after_in_flight, holds_answer, redis_at};
use crate::harness::{App, Recipe, RedisChoice, run, until};

/// The option that only the latch's SET has.
const LATCH: &str = "$2\r\nNX\r\n";

/// An app with one connection to Redis, through a proxy.
async fn behind_a_proxy() -> (App, Proxy) {
    let pair = Pair::shared().await.unwrap();
    let proxy = Proxy::start(pair.redis.url()).await.unwrap();
    let recipe = Recipe::default()
        .redis(RedisChoice::At(proxy.url().to_owned()))
        .with(|config| {
            config.hot.connections = 1;
            // A latch that is left behind would be seen until the test gives up.
            config.hot.latch_ttl = Duration::from_mins(2);
            config.hot.trust_window = Duration::from_mins(2);
        });
    (App::made(recipe).await, proxy)
}

/// Waits until an answer of the app reaches Redis again.
async fn hot_is_back(app: &App) {
    let caller = app.caller();
    for amount in 7000.. {
        let key = format!("canary {amount}");
        assert_eq!(caller.charge(&key, amount).await.status, 201);
        let values = app.redis_values().await;
        if values.iter().any(|it| it.windows(3).any(|it| it == b"ch_")) {
            return;
        }
    }
}

#[test]
fn a_latch_whose_reply_is_swallowed_is_replaced_by_the_answer_and_the_retry_replays() {
    run(async {
        let (app, proxy) = behind_a_proxy().await;
        let redis = Pair::shared().await.unwrap();
        let mut redis = redis_at(redis.redis.url()).await;
        proxy.eat_replies().await;
        let first = app.caller().charge("k-1", 1).await;
        assert_eq!((first.status, first.idempotency_status()), (201, "created"));
        holds_answer(&mut redis, &app, ("k-1", 1), &first).await;
        proxy.pass().await;
        let retry = app.caller().charge("k-1", 1).await;
        assert_eq!(retry.idempotency_status(), "replayed", "{retry:?}");
        assert_eq!(retry.essence(), first.essence());
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}

#[test]
fn a_latch_whose_reply_is_swallowed_is_taken_away_by_an_attempt_that_keeps_nothing() {
    run(async {
        let (app, proxy) = behind_a_proxy().await;
        app.points
            .arm("store.transactional.after_work", Action::Error);
        proxy.eat_replies().await;
        let failed = app.caller().charge("k-1", 1).await;
        assert_eq!(failed.code(), "store-unavailable", "{failed:?}");
        until(|| async { app.redis_values().await.is_empty() }).await;
        proxy.pass().await;
        let retry = app.caller().charge("k-1", 1).await;
        assert_eq!((retry.status, retry.idempotency_status()), (201, "created"));
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}

#[test]
fn a_latch_whose_connection_broke_under_its_reply_is_ours_and_the_retry_replays() {
    run(async {
        let (app, proxy) = behind_a_proxy().await;
        let redis = Pair::shared().await.unwrap();
        let mut redis = redis_at(redis.redis.url()).await;
        let cut = proxy.cut_after(LATCH, "");
        let (held, first) = Pending::held(&app, "store.transactional.after_work", "k-1", 1).await;
        cut.wait().await.unwrap();
        assert_eq!(app.redis_values().await.len(), 1, "the latch was set");
        hot_is_back(&app).await;
        held.release();
        let first = first.reply().await;
        assert_eq!((first.status, first.idempotency_status()), (201, "created"));
        holds_answer(&mut redis, &app, ("k-1", 1), &first).await;
        let retry = after_in_flight(&app.caller(), "k-1", 1).await;
        assert_eq!(retry.idempotency_status(), "replayed", "{retry:?}");
        assert_eq!(retry.essence(), first.essence());
        assert_eq!(app.n_charges_of(1).await, 1);
    });
}
