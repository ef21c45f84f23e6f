//! Every problem document of a request that is refused before it runs, or by its handler, whole.

use std::fmt::Write as _;

use http::Method;

use crate::harness::{App, Caller, Reply, charge_body, run};

/// Status, the headers that belong to a problem, and the document, its instance redacted.
pub(super) fn told(reply: &Reply) -> String {
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
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
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
        "safe_new_key":false}
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
        "safe_new_key":false}
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
        "safe_new_key":false}
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
        "safe_new_key":false}
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
        "safe_new_key":false}
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
        "safe_new_key":false}
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
        "safe_new_key":false}
        "#);
    });
}
