//! Every problem document, whole.

use http::Method;
use oncely::failpoint::Action;
use oncely::testkit::Proxy;

use super::shop::shop;
use crate::harness::{App, Caller, Recipe, Reply, charge_body, run};

/// Status, the headers that belong to a problem, and the document, its instance redacted.
fn told(reply: &Reply) -> String {
    let mut text = format!("{}\n", reply.status);
    for name in [
        "content-type",
        "cache-control",
        "idempotency-status",
        "retry-after",
        "www-authenticate",
        "link",
        "allow",
    ] {
        if let Some(value) = reply.headers.get(name) {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
    }
    let body = std::str::from_utf8(&reply.body).unwrap();
    let start = body.find("urn:uuid:").expect("a problem has an instance");
    let (before, after) = body.split_at(start + "urn:uuid:".len());
    uuid::Uuid::parse_str(&after[..36]).expect("an instance is a UUID");
    text + &format!("{before}…{}", &after[36..]).replace(",\"", ",\n\"")
}

#[test]
fn a_missing_key() {
    run(async {
        let app = App::start().await;
        let reply = app
            .caller()
            .send(Method::POST, "/charge", &[], &charge_body(1))
            .await;
        insta::assert_snapshot!(told(&reply), @r#"
        400
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        link: <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07>; rel="describedby"
        {"type":"urn:oncely:problem:key-missing",
        "title":"The Idempotency-Key header is missing",
        "status":400,
        "detail":"The Idempotency-Key header is missing; send one key per operation, for example a UUID.",
        "instance":"urn:uuid:…",
        "code":"key-missing",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
    });
}

#[test]
fn a_key_that_is_none() {
    run(async {
        let app = App::start().await;
        insta::assert_snapshot!(told(&app.caller().charge("a, b", 1).await), @r#"
        400
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        link: <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07>; rel="describedby"
        {"type":"urn:oncely:problem:key-invalid",
        "title":"The Idempotency-Key header is not valid",
        "status":400,
        "detail":"More than one Idempotency-Key was sent; send one header with one key.",
        "instance":"urn:uuid:…",
        "code":"key-invalid",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
    });
}

#[test]
fn a_body_that_is_none() {
    run(async {
        let app = App::start().await;
        let reply = app
            .caller()
            .post("/charge", "k-1", r#"{"amount": "4242"}"#)
            .await;
        insta::assert_snapshot!(told(&reply), @r#"
        400
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        {"type":"urn:oncely:problem:body-invalid",
        "title":"The body is not valid",
        "status":400,
        "detail":"`amount` must be a whole number within its range.",
        "instance":"urn:uuid:…",
        "code":"body-invalid",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
        let twice = charge_body(1).replace('}', r#", "a": 1, "a": 2}"#);
        insta::assert_snapshot!(told(&app.caller().post("/charge", "k-1", &twice).await), @r#"
        400
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        {"type":"urn:oncely:problem:body-invalid",
        "title":"The body is not valid",
        "status":400,
        "detail":"The body is not valid JSON: an object has the same member twice at line 1 column 70.",
        "instance":"urn:uuid:…",
        "code":"body-invalid",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
    });
}

#[test]
fn no_credential() {
    run(async {
        let app = App::start().await;
        let reply = Caller::new(&app.url, "no-token-of-ours")
            .charge("k-1", 1)
            .await;
        insta::assert_snapshot!(told(&reply), @r#"
        401
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        www-authenticate: Bearer
        {"type":"urn:oncely:problem:unauthorized",
        "title":"A valid bearer token is required",
        "status":401,
        "detail":"Send `Authorization: Bearer <token>` with a token of this service.",
        "instance":"urn:uuid:…",
        "code":"unauthorized",
        "retryable":false,
        "retry_same_key":true,
        "safe_new_key":false}
        "#);
    });
}

#[test]
fn a_declined_card() {
    run(async {
        let app = App::start().await;
        let body = charge_body(1).replace("tok_visa", "tok_expired");
        insta::assert_snapshot!(told(&app.caller().post("/charge", "k-1", &body).await), @r#"
        402
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: created
        {"type":"urn:oncely:problem:card-declined",
        "title":"The card was declined",
        "status":402,
        "detail":"The card has expired.",
        "instance":"urn:uuid:…",
        "code":"card-declined",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
    });
}

#[test]
fn an_unknown_resource() {
    run(async {
        let app = App::start().await;
        insta::assert_snapshot!(told(&app.caller().get("/charge/ch_1").await), @r#"
        404
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        {"type":"urn:oncely:problem:not-found",
        "title":"There is no such resource",
        "status":404,
        "detail":"This tenant has no such charge.",
        "instance":"urn:uuid:…",
        "code":"not-found",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
        insta::assert_snapshot!(told(&app.caller().get("/nowhere").await), @r#"
        404
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        {"type":"urn:oncely:problem:not-found",
        "title":"There is no such resource",
        "status":404,
        "detail":"See docs/http-api.md for the paths of this service.",
        "instance":"urn:uuid:…",
        "code":"not-found",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
    });
}

#[test]
fn an_unknown_method() {
    run(async {
        let app = App::start().await;
        let reply = app.caller().send(Method::PUT, "/charge", &[], "").await;
        insta::assert_snapshot!(told(&reply), @r#"
        405
        content-type: application/problem+json
        cache-control: no-store
        idempotency-status: ignored
        allow: POST
        {"type":"urn:oncely:problem:method-not-allowed",
        "title":"The resource does not have this method",
        "status":405,
        "detail":"See docs/http-api.md for the methods of this resource.",
        "instance":"urn:uuid:…",
        "code":"method-not-allowed",
        "retryable":false,
        "retry_same_key":false,
        "safe_new_key":true}
        "#);
    });
}

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
        "safe_new_key":true}
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
        "safe_new_key":true}
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
        {"type":"urn:oncely:problem:internal",
        "title":"Something is wrong on our side",
        "status":500,
        "detail":"Nothing was done. Send the same request again, with the same key, after Retry-After.",
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
        "detail":"Nothing was done. Send the same request again, with the same key, after Retry-After.",
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
