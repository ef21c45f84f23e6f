//! What is a key, and what is refused without a trace.

use http::Method;

use crate::harness::{App, charge_body, run};

#[test]
fn quoted_and_bare_are_one_key() {
    run(async {
        let app = App::start().await;
        let caller = app.caller();
        let first = caller.charge("8e03978e-40d5", 4200).await;
        let second = caller.charge("\"8e03978e-40d5\"", 4200).await;
        let third = caller.charge("  8e03978e-40d5 ", 4200).await;
        for again in [second, third] {
            assert_eq!(again.idempotency_status(), "replayed");
            assert_eq!(again.essence(), first.essence());
        }
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn keys_are_case_sensitive() {
    run(async {
        let app = App::start().await;
        let caller = app.caller();
        for key in ["abc", "ABC"] {
            let reply = caller.charge(key, 4200).await;
            assert_eq!(reply.idempotency_status(), "created", "{key}");
        }
        assert_eq!(app.n_charges_of(4200).await, 2);
    });
}

#[test]
fn the_longest_key_is_taken() {
    run(async {
        let app = App::start().await;
        let key = "k".repeat(255);
        assert_eq!(app.caller().charge(&key, 4200).await.status, 201);
        let quoted = format!("\"{key}\"");
        let again = app.caller().charge(&quoted, 4200).await;
        assert_eq!(again.idempotency_status(), "replayed");
    });
}

#[test]
fn a_key_that_is_none_is_refused_with_its_code_and_leaves_no_trace() {
    run(async {
        let app = App::start().await;
        let too_long = [&b"idempotency-key: "[..], &[b'k'; 256]].concat();
        let body = charge_body(4200);
        for (code, lines) in [
            ("key-missing", &[][..]),
            ("key-invalid", &[&b"idempotency-key: "[..]][..]),
            ("key-invalid", &[b"idempotency-key: \"\""]),
            ("key-invalid", &[&too_long]),
            ("key-invalid", &[b"idempotency-key: a\tb"]),
            ("key-invalid", &[b"idempotency-key: k-\xc3\xa9"]),
            ("key-invalid", &[b"idempotency-key: k-\xed\xa0\x80"]),
            ("key-invalid", &[b"idempotency-key: \xff"]),
            ("key-invalid", &[b"idempotency-key: a, b"]),
            ("key-invalid", &[b"idempotency-key: \"a\", \"b\""]),
            ("key-invalid", &[b"idempotency-key: \"a"]),
            (
                "key-invalid",
                &[b"idempotency-key: a", b"idempotency-key: a"],
            ),
            (
                "key-invalid",
                &[b"idempotency-key: a", b"Idempotency-Key: b"],
            ),
        ] {
            let reply = app.post_lines(lines, body.as_bytes()).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, code),
                "{lines:?}"
            );
            assert_eq!(reply.idempotency_status(), "ignored", "{lines:?}");
            assert!(app.is_untouched().await, "{lines:?}");
        }
    });
}

#[test]
fn bytes_that_http_forbids_in_a_header_are_refused_bare_before_the_service_sees_them() {
    run(async {
        let app = App::start().await;
        for (what, line) in [
            ("a NUL", &b"idempotency-key: a\0b"[..]),
            ("a line feed", b"idempotency-key: a\nb"),
            ("a carriage return", b"idempotency-key: a\rb"),
            ("a control character", b"idempotency-key: a\x01b"),
            ("a delete", b"idempotency-key: a\x7fb"),
        ] {
            let reply = app.post_lines(&[line], charge_body(4200).as_bytes()).await;
            assert_eq!(reply.status, 400, "{what}");
            // Nothing in the answer is ours: no status of a key, no problem, no body.
            assert_eq!(reply.idempotency_status(), "", "{what}");
            assert_eq!(reply.header("content-type"), "", "{what}");
            assert!(reply.body.is_empty(), "{what}: {reply:?}");
            assert!(app.is_untouched().await, "{what}");
        }
    });
}

#[test]
fn a_refused_key_is_not_burnt() {
    run(async {
        let app = App::start().await;
        let twice = app
            .post_lines(
                &[b"idempotency-key: k-1", b"idempotency-key: k-1"],
                charge_body(4200).as_bytes(),
            )
            .await;
        assert_eq!(twice.code(), "key-invalid");
        let alone = app.caller().charge("k-1", 4200).await;
        assert_eq!(alone.idempotency_status(), "created");
    });
}

#[test]
fn a_method_in_lower_case_is_no_way_around_the_key() {
    run(async {
        let app = App::start().await;
        let post = Method::from_bytes(b"post").unwrap();
        let reply = app
            .caller()
            .send(post, "/charge", &[], &charge_body(4200))
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (405, "method-not-allowed")
        );
        let overridden = [("x-http-method-override", "GET")];
        let reply = app
            .caller()
            .send(Method::POST, "/charge", &overridden, &charge_body(4200))
            .await;
        assert_eq!(reply.code(), "key-missing");
        assert!(app.is_untouched().await);
    });
}
