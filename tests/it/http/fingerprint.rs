//! What makes two requests the same request.

use axum::Router;
use http::{HeaderName, Method};
use oncely::http::{Options, Policy, Routes, Tokens, Tx};
use oncely::store::Store;

use super::shop::{effect, shop, shop_with};
use crate::harness::{App, Recipe, Reply, VARIANTS, run};

fn charge_with(extra: &str) -> String {
    format!(r#"{{"amount":4200,"currency":"USD","source":"tok_visa","memo":{extra}}}"#)
}

#[test]
fn order_and_white_space_of_a_json_body_do_not_matter() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            let first = app
                .caller()
                .post("/charge", "k-1", &charge_with(r#"{"b":[1,2],"a":null}"#))
                .await;
            assert_eq!(first.idempotency_status(), "created", "{variant:?}");
            let other = "{ \"memo\" : {\"a\": null,\r\n\"b\": [1, 2]},\t\"source\": \"tok\\u005fvisa\",\
                         \"currency\": \"USD\", \"amount\": 4200 }";
            let again = app.caller().post("/charge", "k-1", other).await;
            assert_eq!(again.idempotency_status(), "replayed", "{variant:?}");
            assert_eq!(again.essence(), first.essence(), "{variant:?}");
            let charset = [
                ("idempotency-key", "k-1"),
                ("content-type", "Application/JSON; charset=utf-8"),
            ];
            let again = app
                .caller()
                .send(Method::POST, "/charge", &charset, other)
                .await;
            assert_eq!(again.idempotency_status(), "replayed", "{variant:?}");
            assert_eq!(app.n_charges().await, 1);
        }
    });
}

#[test]
fn values_that_some_reader_takes_for_the_same_are_different_requests() {
    run(async {
        let app = App::start().await;
        for (nr, (one, other)) in [
            ("9007199254740993", "9007199254740992"),
            ("1.0", "1.00"),
            ("1e2", "100"),
            ("0", "-0"),
            ("[1,2]", "[2,1]"),
            ("null", "\"\""),
            (r#"{"__proto__":1}"#, "{}"),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("k-{nr}");
            let first = app.caller().post("/charge", &key, &charge_with(one)).await;
            assert_eq!(first.idempotency_status(), "created", "{one}");
            let second = app
                .caller()
                .post("/charge", &key, &charge_with(other))
                .await;
            assert_eq!(
                (second.status, second.code().as_str()),
                (422, "key-reused"),
                "{other}"
            );
        }
        assert_eq!(app.n_charges().await, 7);
    });
}

#[test]
fn members_that_stand_twice_are_refused_and_burn_no_key() {
    run(async {
        let app = App::start().await;
        for body in [
            r#"{"amount":1,"amount":4200,"currency":"USD","source":"tok_visa"}"#,
            r#"{"amount":4200,"currency":"USD","source":"tok_visa","memo":1,"memo":2}"#,
            r#"{"amount":4200,"currency":"USD","source":"tok_visa","memo":{"a":1,"\u0061":1}}"#,
        ] {
            let reply = app.caller().post("/charge", "k-1", body).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "body-invalid"),
                "{body}"
            );
            assert!(app.is_untouched().await, "{body}");
        }
        assert_eq!(app.caller().charge("k-1", 4200).await.status, 201);
    });
}

#[test]
fn another_query_is_another_request() {
    run(async {
        let app = shop(Recipe::default()).await;
        let first = app.caller().post("/answer/empty?a=1", "k-1", "{}").await;
        assert_eq!(first.idempotency_status(), "created");
        for path in [
            "/answer/empty",
            "/answer/empty?a=2",
            "/answer/empty?a=1&b=2",
            "/answer/binary?a=1",
        ] {
            let other = app.caller().post(path, "k-1", "{}").await;
            assert_eq!(
                (other.status, other.code().as_str()),
                (422, "key-reused"),
                "{path}"
            );
        }
    });
}

#[test]
fn a_body_that_is_not_json_counts_byte_for_byte_with_its_type() {
    run(async {
        let app = shop(Recipe::default()).await;
        let send = async |content_type: &str, body: &str| {
            let headers = [("idempotency-key", "k-1"), ("content-type", content_type)];
            let reply = app
                .caller()
                .send(Method::POST, "/answer/empty", &headers, body)
                .await;
            reply.idempotency_status().to_owned()
        };
        assert_eq!(send("text/plain", "{\"a\": 1}").await, "created");
        assert_eq!(send("text/plain", "{\"a\": 1}").await, "replayed");
        for (content_type, body) in [
            ("text/plain", "{\"a\":1}"),
            ("text/plain", ""),
            ("text/csv", "{\"a\": 1}"),
            ("application/json", "{\"a\": 1}"),
        ] {
            assert_eq!(
                send(content_type, body).await,
                "mismatch",
                "{content_type}, {body}"
            );
        }
    });
}

#[test]
fn bodies_that_differ_in_their_last_byte_are_different_requests() {
    run(async {
        let app = shop(Recipe::default()).await;
        let headers = [("idempotency-key", "k-1"), ("content-type", "text/plain")];
        let long = "a".repeat(500_000);
        for (end, expected) in [("a", "created"), ("b", "mismatch"), ("a", "replayed")] {
            let body = format!("{long}{end}");
            let reply = app
                .caller()
                .send(Method::POST, "/answer/empty", &headers, &body)
                .await;
            assert_eq!(reply.idempotency_status(), expected, "{end}");
        }
    });
}

#[test]
fn a_chunked_body_is_the_same_request_as_one_with_a_length() {
    run(async {
        let app = App::start().await;
        let body = charge_with("1");
        let (one, other) = body.split_at(20);
        let chunked = format!(
            "{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n",
            one.len(),
            other.len()
        );
        let lines: [&[u8]; 3] = [
            b"idempotency-key: k-1",
            b"content-type: application/json",
            b"transfer-encoding: chunked",
        ];
        let first = app
            .exchange(
                &[
                    crate::harness::head("/charge", &lines),
                    chunked.into_bytes(),
                ]
                .concat(),
            )
            .await;
        assert_eq!((first.status, first.idempotency_status()), (201, "created"));
        let again = app.caller().post("/charge", "k-1", &body).await;
        assert_eq!(again.essence().1, first.body);
        assert_eq!(again.idempotency_status(), "replayed");
        let other = app.caller().post("/charge", "k-1", &charge_with("2")).await;
        assert_eq!(other.idempotency_status(), "mismatch");
    });
}

#[test]
fn two_keys_two_tenants_or_two_routes_are_independent() {
    run(async {
        let app = shop_with(Recipe::default(), |routes| {
            routes.post(
                "/other/{name}",
                Policy::required(),
                |mut tx: Tx| async move {
                    effect(&mut tx, "other").await;
                },
            )
        })
        .await;
        let of = |reply: Reply| reply.idempotency_status().to_owned();
        assert_eq!(
            of(app.caller().post("/answer/empty", "k-1", "{}").await),
            "created"
        );
        assert_eq!(
            of(app.caller().post("/answer/empty", "k-2", "{}").await),
            "created"
        );
        assert_eq!(
            of(app.other_tenant().post("/answer/empty", "k-1", "{}").await),
            "created"
        );
        assert_eq!(
            of(app.caller().post("/other/empty", "k-1", "{}").await),
            "created"
        );
        assert_eq!(
            (app.n_effects("empty").await, app.n_effects("other").await),
            (3, 1)
        );
        assert_eq!(app.n_records().await, 4);
    });
}

#[test]
fn a_header_that_the_policy_names_is_part_of_the_request() {
    run(async {
        let app = shop_with(Recipe::default(), |routes| {
            let policy = Policy::required().with_header(HeaderName::from_static("api-version"));
            routes.post("/versioned", policy, |_: Tx| async { "done" })
        })
        .await;
        let send = async |key: &str, versions: &[&str]| {
            let key_line = format!("idempotency-key: {key}");
            let lines: Vec<String> = versions
                .iter()
                .map(|it| format!("api-version: {it}"))
                .collect();
            let mut all = vec![key_line.as_bytes()];
            all.extend(lines.iter().map(String::as_bytes));
            let reply = app.post_raw("/versioned", &all, b"{}").await;
            reply.idempotency_status().to_owned()
        };
        assert_eq!(send("k-1", &["1"]).await, "created");
        assert_eq!(send("k-1", &["1"]).await, "replayed");
        for other in [&["2"][..], &[], &["1", "2"], &["1", "1"]] {
            assert_eq!(send("k-1", other).await, "mismatch", "{other:?}");
        }
        assert_eq!(send("k-2", &["1", "2"]).await, "created");
        assert_eq!(send("k-2", &["1", "3"]).await, "mismatch");
    });
}

#[test]
fn a_raw_body_counts_byte_for_byte_also_where_it_is_json() {
    run(async {
        let app = shop_with(Recipe::default(), |routes| {
            routes.post("/signed", Policy::required().raw_body(), |_: Tx| async {
                "done"
            })
        })
        .await;
        for (body, expected) in [
            (r#"{"a":1,"a":2}"#, "created"),
            (r#"{"a":1,"a":2}"#, "replayed"),
            (r#"{"a":1, "a":2}"#, "mismatch"),
        ] {
            let reply = app.caller().post("/signed", "k-1", body).await;
            assert_eq!(reply.idempotency_status(), expected, "{body}");
        }
    });
}

fn refunds(store: &Store, options: Options, tokens: Tokens, policy: Policy) -> Router {
    let refund = async |_: Tx| "refunded";
    let routes = Routes::new(store.clone(), options).post("/refund", policy, refund);
    Router::new().nest("/payments/{id}", routes.authenticate(tokens).into_router())
}

#[test]
fn a_nested_router_tells_apart_what_only_the_whole_path_tells_apart() {
    run(async {
        let app = App::serving(Recipe::default(), |store, options, tokens| {
            refunds(store, options, tokens, Policy::required())
        })
        .await;
        let first = app.caller().post("/payments/1/refund", "k-1", "{}").await;
        assert_eq!(first.idempotency_status(), "created");
        let other = app.caller().post("/payments/2/refund", "k-1", "{}").await;
        assert_eq!((other.status, other.code().as_str()), (422, "key-reused"));
        let again = app.caller().post("/payments/1/refund", "k-1", "{}").await;
        assert_eq!(again.idempotency_status(), "replayed");
    });
}

#[test]
fn a_secret_that_is_rotated_still_knows_the_requests_of_the_old_one() {
    run(async {
        for variant in VARIANTS {
            let secrets = |current: &str, previous: &[&str]| {
                let previous = previous.iter().map(|it| (*it).into()).collect();
                let current = current.into();
                variant.recipe().with(|it| {
                    it.idempotency.fingerprint_secret = current;
                    it.idempotency.fingerprint_secrets_previous = previous;
                })
            };
            let app = App::made(secrets("old", &[])).await;
            let first = app.caller().charge("k-1", 4200).await;
            let rotated = App::made(secrets("new", &["old"]).beside(&app)).await;
            let again = rotated.caller().charge("k-1", 4200).await;
            assert_eq!(again.idempotency_status(), "replayed", "{variant:?}");
            assert_eq!(again.essence(), first.essence(), "{variant:?}");
            let other = rotated.caller().charge("k-1", 9900).await;
            assert_eq!(other.code(), "key-reused", "{variant:?}");
            // The old secret was not listed: neither executed nor replayed.
            let stranger = App::made(secrets("new", &[]).beside(&app)).await;
            for amount in [4200, 9900] {
                let refused = stranger.caller().charge("k-1", amount).await;
                assert_eq!(
                    (refused.status, refused.code().as_str()),
                    (503, "outcome-unknown"),
                    "{variant:?}"
                );
            }
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}

#[test]
fn a_policy_that_changes_its_algorithm_still_knows_the_old_requests() {
    run(async {
        for (before, after) in [
            (Policy::required(), Policy::required().raw_body()),
            (Policy::required().raw_body(), Policy::required()),
        ] {
            let app = App::serving(Recipe::default(), |store, options, tokens| {
                refunds(store, options, tokens, before)
            })
            .await;
            let send = async |app: &App, body: &str| {
                let reply = app.caller().post("/payments/1/refund", "k-1", body).await;
                reply.idempotency_status().to_owned()
            };
            assert_eq!(send(&app, r#"{"a":1}"#).await, "created");
            let restarted =
                App::serving(Recipe::default().beside(&app), |store, options, tokens| {
                    refunds(store, options, tokens, after)
                })
                .await;
            assert_eq!(send(&restarted, r#"{"a":1}"#).await, "replayed");
            assert_eq!(send(&restarted, r#"{"a":2}"#).await, "mismatch");
        }
    });
}
