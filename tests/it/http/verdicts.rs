//! Every problem document that says what a key came to, or that nobody knows, whole.

use oncely::failpoint::Action;
use oncely::testkit::Proxy;

use super::problems::told;
use super::shop::shop;
use crate::harness::{App, Recipe, run};

#[test]
fn a_key_that_is_being_worked_on() {
    run(async {
        let app = App::start().await;
        let mut held = app.points.hold("store.transactional.after_work");
        let (caller, other) = (app.caller(), app.caller());
        let first = tokio::join!(async { caller.charge("k-1", 1).await }, async {
            assert!(held.arrived().await);
            insta::assert_snapshot!(told(&other.charge("k-1", 1).await), @r#"
            409
            content-type: application/problem+json
            cache-control: no-store
            idempotency-status: in-flight
            retry-after: 1
            {"type":"urn:oncely:problem:in-flight",
            "title":"A request with this key is being worked on",
            "status":409,
            "detail":"Wait for Retry-After, then send the same request with the same key.",
            "instance":"urn:uuid:…",
            "code":"in-flight",
            "retryable":true,
            "retry_same_key":true,
            "safe_new_key":false}
            "#);
            held.release();
        });
        assert_eq!(first.0.status, 201);
    });
}

#[test]
fn an_answer_that_was_too_large_to_keep() {
    run(async {
        let app = shop(Recipe::default()).await;
        let path = "/answer/large";
        assert_eq!(app.caller().post(path, "k-1", "{}").await.status, 200);
        insta::assert_snapshot!(told(&app.caller().post(path, "k-1", "{}").await), @r#"
        409
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: replayed
        {"type":"urn:oncely:problem:response-not-replayable",
        "title":"The operation is done, but its answer can't be repeated",
        "status":409,
        "detail":"The operation was done and answered with 200 OK, and will not be done again. Its answer was too large to keep; read the resource instead.",
        "instance":"urn:uuid:…",
        "code":"response-not-replayable",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":false}
        "#);
    });
}

#[test]
fn a_body_that_is_too_large() {
    run(async {
        let app = App::made(Recipe::default().with(|it| it.http.body_limit_bytes = 10)).await;
        insta::assert_snapshot!(told(&app.caller().charge("k-1", 1).await), @r#"
        413
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        {"type":"urn:oncely:problem:body-too-large",
        "title":"The body is too large",
        "status":413,
        "detail":"Send a body of at most 10 bytes.",
        "instance":"urn:uuid:…",
        "code":"body-too-large",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":false}
        "#);
    });
}

#[test]
fn a_key_of_another_request() {
    run(async {
        let app = App::start().await;
        assert_eq!(app.caller().charge("k-1", 1).await.status, 201);
        insta::assert_snapshot!(told(&app.caller().charge("k-1", 2).await), @r#"
        422
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: mismatch
        {"type":"urn:oncely:problem:key-reused",
        "title":"The key was used for another request",
        "status":422,
        "detail":"Use a new key for a new operation; to repeat the first one, send its request unchanged.",
        "instance":"urn:uuid:…",
        "code":"key-reused",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":false}
        "#);
    });
}

#[test]
fn a_bug_of_ours() {
    run(async {
        let app = shop(Recipe::default()).await;
        let reply = app.caller().post("/answer/panic", "k-1", "{}").await;
        insta::assert_snapshot!(told(&reply), @r#"
        500
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        retry-after: 2
        {"type":"urn:oncely:problem:internal",
        "title":"Something is wrong on our side",
        "status":500,
        "detail":"This attempt did nothing. Send the same request again, with the same key, after Retry-After.",
        "instance":"urn:uuid:…",
        "code":"internal",
        "retryable":true,
        "retry_same_key":true,
        "safe_new_key":false}
        "#);
    });
}

#[test]
fn a_store_that_can_do_nothing() {
    run(async {
        let app = App::start().await;
        app.points
            .arm("store.transactional.after_begin", Action::Error);
        insta::assert_snapshot!(told(&app.caller().charge("k-1", 1).await), @r#"
        503
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        retry-after: 2
        {"type":"urn:oncely:problem:store-unavailable",
        "title":"The store can't be reached",
        "status":503,
        "detail":"This attempt did nothing. Send the same request again, with the same key, after Retry-After.",
        "instance":"urn:uuid:…",
        "code":"store-unavailable",
        "retryable":true,
        "retry_same_key":true,
        "safe_new_key":false}
        "#);
    });
}

#[test]
fn a_commit_whose_answer_was_lost() {
    run(async {
        let app = App::start().await;
        let proxy = Proxy::start(&app.database_url).await.unwrap();
        let cut = App::made(Recipe::default().beside(&app).database_at(proxy.url())).await;
        // The record is read back on a fresh connection; that one does not come up either.
        let mut held = cut.points.hold("store.transactional.before_commit");
        let caller = cut.caller();
        let (reply, ()) = tokio::join!(caller.charge("k-1", 1), async {
            assert!(held.arrived().await);
            proxy.cut().await;
            held.release();
        });
        insta::assert_snapshot!(told(&reply), @r#"
        503
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: unknown
        retry-after: 2
        {"type":"urn:oncely:problem:outcome-unknown",
        "title":"The outcome of the operation is not known",
        "status":503,
        "detail":"The operation may or may not have been done. Send the same request again, with the same key: it will be answered truthfully, and never be done twice.",
        "instance":"urn:uuid:…",
        "code":"outcome-unknown",
        "retryable":true,
        "retry_same_key":true,
        "safe_new_key":false}
        "#);
    });
}
