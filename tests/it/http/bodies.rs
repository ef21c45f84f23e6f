//! Bodies that are refused: too large, too deep, cut off, or not what a charge is.

use http::Method;
use tokio::io::AsyncWriteExt;

use crate::harness::{App, Recipe, charge_body, head, run, until};

#[test]
fn a_body_over_the_limit_is_413_whether_or_not_it_was_declared() {
    run(async {
        let app = App::made(Recipe::default().with(|it| it.http.body_limit_bytes = 200)).await;
        let key: &[u8] = b"idempotency-key: k-1";
        let large =
            charge_body(4200).replace('}', &format!(r#", "memo": "{}"}}"#, "m".repeat(200)));
        let declared = app.post_lines(&[key], large.as_bytes()).await;
        let lines: [&[u8]; 3] = [
            key,
            b"content-type: application/json",
            b"transfer-encoding: chunked",
        ];
        let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
        let chunked = app
            .exchange(&[head("/charge", &lines), chunk.into_bytes()].concat())
            .await;
        // Nothing of a body that is declared too large is waited for.
        let promised = [head(
            "/charge",
            &[
                key,
                b"content-type: application/json",
                b"content-length: 1000000",
            ],
        )]
        .concat();
        let promised = app.exchange(&promised).await;
        for reply in [declared, chunked, promised] {
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (413, "body-too-large")
            );
        }
        assert!(app.is_untouched().await);
        assert_eq!(app.caller().charge("k-1", 4200).await.status, 201);
    });
}

#[test]
fn a_body_that_nests_too_deep_is_refused() {
    run(async {
        let app = App::start().await;
        for depth in [64, 100, 10_000] {
            let memo = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let body = charge_body(4200).replace('}', &format!(r#", "memo": {memo}}}"#));
            let reply = app.caller().post("/charge", "k-1", &body).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "body-invalid"),
                "{depth}"
            );
        }
        assert!(app.is_untouched().await);
    });
}

#[test]
fn a_client_that_hangs_up_in_the_middle_of_its_body_leaves_no_trace() {
    run(async {
        let app = App::start().await;
        let body = charge_body(4200);
        let length = format!("content-length: {}", body.len());
        let lines: [&[u8]; 3] = [
            b"idempotency-key: k-1",
            b"content-type: application/json",
            length.as_bytes(),
        ];
        let mut stream = app.connect().await;
        stream.write_all(&head("/charge", &lines)).await.unwrap();
        stream.write_all(&body.as_bytes()[..30]).await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        let retried = app.caller().charge("k-1", 4200).await;
        assert_eq!(
            (retried.status, retried.idempotency_status()),
            (201, "created")
        );
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}

#[test]
fn a_body_that_never_arrives_whole_is_refused_in_time() {
    run(async {
        let short = std::time::Duration::from_millis(300);
        let app = App::made(Recipe::default().with(|it| it.http.request_timeout = short)).await;
        let lines: [&[u8]; 3] = [
            b"idempotency-key: k-1",
            b"content-type: application/json",
            b"content-length: 80",
        ];
        let reply = app
            .exchange(&[&head("/charge", &lines)[..], b"{"].concat())
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (408, "body-incomplete")
        );
        assert!(app.is_untouched().await);
    });
}

#[test]
fn a_client_that_hangs_up_after_its_body_finds_its_charge_later() {
    run(async {
        let app = App::start().await;
        let mut held = app.points.hold("store.transactional.after_work");
        let body = charge_body(4200);
        let length = format!("content-length: {}", body.len());
        let lines: [&[u8]; 3] = [
            b"idempotency-key: k-1",
            b"content-type: application/json",
            length.as_bytes(),
        ];
        let mut stream = app.connect().await;
        stream.write_all(&head("/charge", &lines)).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        assert!(held.arrived().await);
        drop(stream);
        held.release();
        until(async || app.n_charges().await == 1).await;
        until(async || app.caller().charge("k-1", 4200).await.idempotency_status() == "replayed")
            .await;
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn a_body_without_its_type_is_refused_with_what_to_do() {
    run(async {
        let app = App::start().await;
        let body = charge_body(4200);
        let length = format!("content-length: {}", body.len());
        let bare: [&[u8]; 2] = [b"idempotency-key: k-1", length.as_bytes()];
        let missing = app
            .exchange(&[head("/charge", &bare), body.clone().into_bytes()].concat())
            .await;
        let mut replies = vec![missing];
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
        ] {
            let headers = [("idempotency-key", "k-1"), ("content-type", content_type)];
            replies.push(
                app.caller()
                    .send(Method::POST, "/charge", &headers, &body)
                    .await,
            );
        }
        for reply in replies {
            assert_eq!((reply.status, reply.code().as_str()), (400, "body-invalid"));
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(
                detail.contains("Content-Type: application/json"),
                "{detail}"
            );
        }
        assert!(app.is_untouched().await);
        assert_eq!(app.caller().charge("k-1", 4200).await.status, 201);
    });
}

/// Wrong charges, each with the member that is to be named.
const WRONG: [(&str, &str); 19] = [
    ("amount", r#"{"currency": "USD", "source": "tok_visa"}"#),
    (
        "amount",
        r#"{"amount": 0, "currency": "USD", "source": "tok_visa"}"#,
    ),
    (
        "amount",
        r#"{"amount": -4200, "currency": "USD", "source": "tok_visa"}"#,
    ),
    (
        "amount",
        r#"{"amount": 42.5, "currency": "USD", "source": "tok_visa"}"#,
    ),
    (
        "amount",
        r#"{"amount": "4200", "currency": "USD", "source": "tok_visa"}"#,
    ),
    (
        "amount",
        r#"{"amount": 9223372036854775808, "currency": "USD", "source": "tok_visa"}"#,
    ),
    (
        "amount",
        r#"{"amount": null, "currency": "USD", "source": "tok_visa"}"#,
    ),
    ("currency", r#"{"amount": 4200, "source": "tok_visa"}"#),
    (
        "currency",
        r#"{"amount": 4200, "currency": "usd", "source": "tok_visa"}"#,
    ),
    (
        "currency",
        r#"{"amount": 4200, "currency": "USDT", "source": "tok_visa"}"#,
    ),
    (
        "currency",
        r#"{"amount": 4200, "currency": 840, "source": "tok_visa"}"#,
    ),
    ("source", r#"{"amount": 4200, "currency": "USD"}"#),
    (
        "source",
        r#"{"amount": 4200, "currency": "USD", "source": ""}"#,
    ),
    (
        "source",
        r#"{"amount": 4200, "currency": "USD", "source": "a\u0000b"}"#,
    ),
    (
        "source",
        r#"{"amount": 4200, "currency": "USD", "source": ["tok_visa"]}"#,
    ),
    (
        "sku",
        r#"{"amount": 4200, "currency": "USD", "source": "tok_visa", "sku": ""}"#,
    ),
    (
        "sku",
        r#"{"amount": 4200, "currency": "USD", "source": "tok_visa", "sku": 1}"#,
    ),
    (
        "quantity",
        r#"{"amount": 4200, "currency": "USD", "source": "tok_visa", "quantity": 0}"#,
    ),
    (
        "quantity",
        r#"{"amount": 4200, "currency": "USD", "source": "tok_visa", "quantity": "1"}"#,
    ),
];

#[test]
fn each_wrong_member_of_a_charge_is_named_and_burns_no_key() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        for (nr, (member, body)) in WRONG.into_iter().enumerate() {
            let key = format!("k-{nr}");
            let reply = app.caller().post("/charge", &key, body).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "body-invalid"),
                "{body}"
            );
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(&format!("`{member}`")), "{body}: {detail}");
            assert!(
                app.redis_values().await.len() == nr
                    && app.n_records().await == i64::try_from(nr).unwrap()
            );
            let corrected = app.caller().charge(&key, 4200).await;
            assert_eq!(
                (corrected.status, corrected.idempotency_status()),
                (201, "created")
            );
        }
    });
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    run(async {
        let app = App::start().await;
        for body in [
            "",
            "{",
            "null",
            "4200",
            "\"charge\"",
            "[]",
            r#"[4200,"USD","tok_visa",null,null]"#,
            "{}x",
            "\u{feff}{}",
        ] {
            let reply = app.caller().post("/charge", "k-1", body).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "body-invalid"),
                "{body}"
            );
        }
        assert!(app.is_untouched().await);
    });
}
