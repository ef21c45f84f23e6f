//! A replay is the first answer, byte for byte, wherever it comes from.

use http::HeaderMap;
use oncely::testkit::key_prefix;

use super::shop::shop;
use crate::harness::{App, Recipe, Reply, VARIANTS, run, until};

const ANSWERS: [&str; 9] = [
    "gzip",
    "binary",
    "empty",
    "no-content",
    "created",
    "see-other",
    "links",
    "middling",
    "status-402",
];

/// The values of a header in the order they came.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .map(http::HeaderValue::as_bytes)
        .collect()
}

fn assert_replays(again: &Reply, first: &Reply, what: &str) {
    assert_eq!(again.idempotency_status(), "replayed", "{what}: {again:?}");
    assert_eq!(again.header("idempotent-replayed"), "true", "{what}");
    assert_eq!(again.header("cache-control"), "no-store", "{what}");
    assert_eq!(again.essence(), first.essence(), "{what}");
    assert_eq!(
        values(&again.headers, "link"),
        values(&first.headers, "link"),
        "{what}"
    );
}

#[test]
fn every_kind_of_answer_is_replayed_byte_for_byte_in_every_variant() {
    run(async {
        for variant in VARIANTS {
            let app = shop(variant.recipe()).await;
            let caller = app.caller();
            for name in ANSWERS {
                let path = format!("/answer/{name}");
                let what = format!("{variant:?}, {name}");
                let first = caller.post(&path, name, "{}").await;
                assert_eq!(first.idempotency_status(), "created", "{what}: {first:?}");
                assert_eq!(first.header("idempotent-replayed"), "", "{what}");
                assert_replays(&caller.post(&path, name, "{}").await, &first, &what);
                app.flush_redis().await;
                let after_flush = caller.post(&path, name, "{}").await;
                assert_replays(&after_flush, &first, &what);
                let is_effective = i64::from(name != "status-402");
                assert_eq!(app.n_effects(name).await, is_effective, "{what}");
            }
        }
    });
}

#[test]
fn redis_alone_replays_what_the_ledger_replays() {
    run(async {
        let app = shop(Recipe::with_redis()).await;
        let caller = app.caller();
        for name in ["gzip", "binary", "no-content", "links", "created"] {
            let path = format!("/answer/{name}");
            let first = caller.post(&path, name, "{}").await;
            // The row is gone, so only Redis can know of it.
            app.execute("DELETE FROM oncely.records").await;
            assert_replays(&caller.post(&path, name, "{}").await, &first, name);
            assert_eq!(app.n_effects(name).await, 1, "{name}");
        }
    });
}

#[test]
fn an_answer_whose_time_in_redis_is_over_is_replayed_from_the_ledger() {
    run(async {
        let short = std::time::Duration::from_millis(1);
        let app = App::made(Recipe::with_redis().with(|it| it.hot.retention = short)).await;
        let first = app.caller().charge("k-1", 4200).await;
        until(async || app.redis_values().await.is_empty()).await;
        assert_replays(&app.caller().charge("k-1", 4200).await, &first, "expired");
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn another_process_replays_with_and_without_the_same_redis() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        let first = app.caller().charge("k-1", 4200).await;
        let second = App::made(Recipe::with_redis().beside(&app)).await;
        assert_replays(
            &second.caller().charge("k-1", 4200).await,
            &first,
            "same keys",
        );
        let mut apart = Recipe::with_redis().beside(&app);
        apart.key_prefix = Some(key_prefix());
        let third = App::made(apart).await;
        assert_replays(
            &third.caller().charge("k-1", 4200).await,
            &first,
            "other keys",
        );
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn headers_of_a_session_or_a_moment_are_neither_stored_nor_replayed() {
    run(async {
        for variant in VARIANTS {
            let app = shop(variant.recipe()).await;
            let first = app.caller().post("/answer/session", "k-1", "{}").await;
            assert_eq!(first.header("set-cookie"), "session=canary-cookie");
            for row in app.stored_rows().await {
                let lines = String::from_utf8(row.headers.unwrap()).unwrap();
                assert_eq!(
                    lines, "content-type: text/plain; charset=utf-8\r\n",
                    "{variant:?}"
                );
                assert_eq!(row.body.unwrap(), b"a session");
            }
            if variant.has_redis() {
                let is_answer = |it: &Vec<u8>| it.windows(9).any(|part| part == b"a session");
                until(async || app.redis_values().await.iter().any(is_answer)).await;
                for value in app.redis_values().await {
                    assert!(!value.windows(6).any(|it| it == b"canary"), "{variant:?}");
                }
            }
            for _ in 0..2 {
                let again = app.caller().post("/answer/session", "k-1", "{}").await;
                assert_eq!(again.idempotency_status(), "replayed", "{variant:?}");
                for name in [
                    "set-cookie",
                    "keep-alive",
                    "www-authenticate",
                    "x-request-id",
                    "x-receipt",
                ] {
                    assert_eq!(again.headers.get(name), None, "{variant:?}: {name}");
                }
                assert_ne!(again.header("date"), "Sat, 01 Jan 2000 00:00:00 GMT");
                assert_eq!(values(&again.headers, "date").len(), 1, "{variant:?}");
                app.flush_redis().await;
            }
        }
    });
}

#[test]
fn a_further_header_is_replayed_where_the_settings_say_so() {
    run(async {
        for variant in VARIANTS {
            let recipe = variant
                .recipe()
                .with(|it| it.idempotency.replay_headers = vec!["X-Receipt".to_owned()]);
            let app = shop(recipe).await;
            for _ in 0..2 {
                let reply = app.caller().post("/answer/session", "k-1", "{}").await;
                assert_eq!(reply.header("x-receipt"), "r-1", "{variant:?}");
            }
        }
    });
}

#[test]
fn a_replay_tells_when_the_answer_was_first_given() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            assert_eq!(
                app.caller()
                    .charge("k-1", 1)
                    .await
                    .header("oncely-original-time"),
                ""
            );
            let again = app.caller().charge("k-1", 1).await;
            let time = again.header("oncely-original-time").to_owned();
            let n_rows = app
                .count(&format!(
                    "SELECT count(*) FROM oncely.records WHERE completed_at = '{time}'"
                ))
                .await;
            assert_eq!(n_rows, 1, "{variant:?}: {time}");
            app.flush_redis().await;
            let once_more = app.caller().charge("k-1", 1).await;
            assert_eq!(
                once_more.header("oncely-original-time"),
                time,
                "{variant:?}"
            );
        }
    });
}
