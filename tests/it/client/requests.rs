//! What goes over the wire.

use std::time::Duration;

use http::Method;
use oncely::client::{Operation, Outcome, Why};

use super::server::{Server, reply};
use super::{charge, client, done, patient, unknown};
use crate::harness::run;

#[test]
fn every_attempt_carries_the_same_key_and_bytes_and_its_number() {
    run(async {
        let server = Server::statuses(&[503, 502, 201]).await;
        let mut operation = charge(&server);
        let kept = serde_json::to_string(&operation).unwrap();
        done(client().run(&mut operation, patient()).await);
        // A process that was started anew, and knows only what was kept.
        let mut read_back: Operation = serde_json::from_str(&kept).unwrap();
        drop(operation);
        done(client().run(&mut read_back, patient()).await);
        let seen = server.seen();
        let attempts: Vec<_> = seen.iter().map(|it| it.header("oncely-attempt")).collect();
        assert_eq!(attempts, ["1", "2", "3", "1"]);
        let key = format!("\"{}\"", read_back.key().as_str());
        for request in &seen {
            assert_eq!(request.header("idempotency-key"), key);
            assert_eq!(request.header("content-type"), "application/json");
            assert_eq!(request.header("authorization"), "Bearer demo-token");
            assert_eq!(request.body, &br#"{"amount":4200}"#[..]);
            assert_eq!(
                (&request.method, &*request.path),
                (&Method::POST, "/charge")
            );
        }
    });
}

#[test]
fn the_headers_are_those_that_the_layer_reads() {
    assert_eq!(
        oncely::client::operation::IDEMPOTENCY_KEY,
        oncely::http::IDEMPOTENCY_KEY
    );
    assert_eq!(
        oncely::client::operation::ONCELY_ATTEMPT,
        oncely::http::ONCELY_ATTEMPT
    );
}

#[test]
fn a_redirect_that_keeps_the_method_keeps_body_and_key() {
    run(async {
        for status in [307, 308] {
            let server = Server::start(move |_, request| async move {
                match &*request.path {
                    "/charge" => reply(status, &[("location", "/v2/charge")], ""),
                    _ => reply(201, &[], "{}"),
                }
            })
            .await;
            done(client().run(&mut charge(&server), patient()).await);
            let seen = server.seen();
            assert_eq!((seen.len(), &*seen[1].path), (2, "/v2/charge"));
            assert_eq!(seen[1].method, Method::POST);
            assert_eq!(seen[1].body, seen[0].body);
            for name in ["idempotency-key", "oncely-attempt", "content-type"] {
                assert_eq!(seen[1].header(name), seen[0].header(name), "{status}");
            }
        }
    });
}

#[test]
fn a_redirect_that_would_make_a_get_of_it_is_an_error_and_is_not_followed() {
    run(async {
        for status in [301, 302] {
            let server = Server::start(move |_, _| async move {
                reply(status, &[("location", "/elsewhere")], "")
            })
            .await;
            let error = client().run(&mut charge(&server), patient()).await;
            assert_eq!(error.unwrap_err().why, Why::Redirected);
            assert_eq!(server.n_seen(), 1, "{status}");
        }
    });
}

#[test]
fn a_redirect_to_another_host_is_an_error_and_tells_it_nothing() {
    run(async {
        let other = Server::statuses(&[201]).await;
        let elsewhere = other.url.replace("127.0.0.1", "localhost");
        let server = Server::start(move |_, _| {
            let elsewhere = elsewhere.clone();
            async move { reply(308, &[("location", &elsewhere)], "") }
        })
        .await;
        let error = client().run(&mut charge(&server), patient()).await;
        let error = error.unwrap_err();
        assert_eq!(error.why, Why::Redirected);
        assert_eq!(error.last.unwrap().status.as_u16(), 308);
        assert_eq!((server.n_seen(), other.n_seen()), (1, 0));
    });
}

#[test]
fn a_redirect_in_a_circle_ends() {
    run(async {
        let circle = |_, _| async { reply(307, &[("location", "/charge")], "") };
        let server = Server::start(circle).await;
        let error = client().run(&mut charge(&server), patient()).await;
        assert_eq!(error.unwrap_err().why, Why::Redirected);
        assert_eq!(server.n_seen(), 6);
    });
}

#[test]
fn what_the_server_refuses_is_sent_once() {
    run(async {
        for statuses in [
            &[400, 201],
            &[401, 201],
            &[403, 201],
            &[404, 201],
            &[422, 201],
        ] {
            let server = Server::statuses(statuses).await;
            let outcome = client().run(&mut charge(&server), patient()).await.unwrap();
            let Outcome::Rejected(answer) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!((answer.status.as_u16(), server.n_seen()), (statuses[0], 1));
        }
    });
}

#[test]
fn in_flight_is_waited_for_as_long_as_the_server_says() {
    run(async {
        let server = Server::start(|n, _| async move {
            let waits = [("idempotency-status", "in-flight"), ("retry-after", "1")];
            match n {
                0 => reply(409, &waits, "{}"),
                _ => reply(201, &[("idempotent-replayed", "true")], "{}"),
            }
        })
        .await;
        let answer = done(client().run(&mut charge(&server), patient()).await);
        assert!(answer.is_replayed());
        let seen = server.seen();
        let (one, other) = (
            seen[0].header("idempotency-key"),
            seen[1].header("idempotency-key"),
        );
        assert_eq!(one, other);
        let wait = seen[1].at.abs_diff(seen[0].at);
        assert!(wait >= Duration::from_secs(1), "{wait:?}");
    });
}

#[test]
fn an_answer_that_breaks_off_is_none() {
    run(async {
        let server = Server::start(|n, _| async move {
            match n {
                0 => broken_off(),
                _ => reply(201, &[], "whole"),
            }
        })
        .await;
        let mut operation = charge(&server);
        let answer = done(client().run(&mut operation, patient()).await);
        assert_eq!(answer.body, "whole");
        assert_eq!(server.n_seen(), 2);
        let story = operation.transcript().to_string();
        assert!(story.contains("attempt 1: no answer"), "{story}");
        assert!(!story.contains("127.0.0.1"), "no URL is told: {story}");
    });
}

fn broken_off() -> axum::response::Response {
    let pieces = [Ok("ha"), Err(std::io::Error::other("the server died"))];
    let body = axum::body::Body::from_stream(futures_util::stream::iter(pieces));
    axum::response::Response::new(body)
}

#[test]
fn an_outcome_that_is_not_known_is_resolved_with_the_same_key() {
    run(async {
        let server = Server::statuses(&[500, 500, 500, 201]).await;
        let client = client();
        let mut operation = charge(&server);
        let cause = unknown(client.run(&mut operation, patient()).await);
        assert_eq!((cause.why, server.n_seen()), (Why::Attempts, 3));
        done(client.resolve(&mut operation, patient()).await);
        let seen = server.seen();
        let keys: Vec<_> = seen.iter().map(|it| it.header("idempotency-key")).collect();
        assert!(keys.iter().all(|it| *it == keys[0]), "{keys:?}");
        assert_eq!(seen[3].header("oncely-attempt"), "4");
    });
}

#[test]
fn where_nobody_listens_nothing_was_done() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/charge", listener.local_addr().unwrap());
        drop(listener);
        let mut operation = Operation::post(url).empty().unwrap();
        let error = client().run(&mut operation, patient()).await.unwrap_err();
        assert_eq!(error.why, Why::Attempts);
        assert!(std::error::Error::source(&error).is_some());
        assert!(!operation.may_be_done());
    });
}
