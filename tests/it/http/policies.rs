//! What a route does about keys, and that every answer says so.

use http::{Method, StatusCode};
use oncely::http::{Policy, Routes, Tx};

use super::shop::{effect, shop_with};
use crate::harness::{App, Recipe, run};

const KEY: [(&str, &str); 1] = [("idempotency-key", "k-1")];

fn every_policy(routes: Routes) -> Routes {
    let write = async |mut tx: Tx| {
        effect(&mut tx, "written").await;
        "written"
    };
    routes
        .post("/optional", Policy::optional(), write)
        .put("/natural", Policy::natural(), async || "put")
        .delete("/natural", Policy::natural(), async || {
            StatusCode::NO_CONTENT
        })
        .patch(
            "/exempt",
            Policy::exempt("a ping changes nothing"),
            async || "pong",
        )
        .post("/misled", Policy::natural(), write)
        .post("/aborted", Policy::optional(), async |mut tx: Tx| {
            effect(&mut tx, "aborted").await;
            assert!(sqlx::query("SELECT 1 / 0").execute(&mut *tx).await.is_err());
            "all is well"
        })
        .post("/refused", Policy::optional(), async |mut tx: Tx| {
            effect(&mut tx, "refused").await;
            StatusCode::NOT_FOUND
        })
        .get("/read", async || "read")
}

#[test]
fn an_optional_key_protects_where_it_is_sent() {
    run(async {
        let app = shop_with(Recipe::default(), every_policy).await;
        for expected in ["created", "replayed", "replayed"] {
            let reply = app.caller().post("/optional", "k-1", "{}").await;
            assert_eq!(reply.idempotency_status(), expected);
        }
        assert_eq!(app.n_effects("written").await, 1);
        for n_more in 1..=2 {
            let reply = app
                .caller()
                .send(Method::POST, "/optional", &[], "{}")
                .await;
            assert_eq!((reply.status, reply.idempotency_status()), (200, "ignored"));
            assert_eq!(app.n_effects("written").await, 1 + n_more);
        }
        let broken = [("idempotency-key", "")];
        let reply = app
            .caller()
            .send(Method::POST, "/optional", &broken, "{}")
            .await;
        assert_eq!(
            reply.code(),
            "key-invalid",
            "a broken key is never taken for none"
        );
        assert_eq!(app.n_records().await, 1);
    });
}

#[test]
fn without_a_key_a_lost_transaction_is_not_acknowledged_either() {
    run(async {
        let app = shop_with(Recipe::default(), every_policy).await;
        let reply = app.caller().send(Method::POST, "/aborted", &[], "{}").await;
        assert_eq!((reply.status, reply.code().as_str()), (500, "internal"));
        assert_eq!(app.n_effects("aborted").await, 0);
        let reply = app.caller().send(Method::POST, "/refused", &[], "{}").await;
        assert_eq!(reply.status, 404);
        assert_eq!(app.n_effects("refused").await, 0);
        assert_eq!(app.n_open_transactions().await, 0);
    });
}

#[test]
fn natural_and_exempt_routes_ignore_the_key_whatever_it_is() {
    run(async {
        let app = shop_with(Recipe::default(), every_policy).await;
        for key in ["k-1", "k-1", "a, b"] {
            for (method, path, status) in [
                (Method::PUT, "/natural", 200),
                (Method::DELETE, "/natural", 204),
                (Method::PATCH, "/exempt", 200),
                (Method::GET, "/read", 200),
                (Method::HEAD, "/read", 200),
            ] {
                let headers = [("idempotency-key", key)];
                let reply = app.caller().send(method, path, &headers, "").await;
                assert_eq!(
                    (reply.status, reply.idempotency_status()),
                    (status, "ignored"),
                    "{path}"
                );
            }
        }
        assert!(app.is_untouched().await);
    });
}

#[test]
fn a_handler_that_asks_for_a_transaction_where_there_is_none_is_500() {
    run(async {
        let app = shop_with(Recipe::default(), every_policy).await;
        let reply = app.caller().post("/misled", "k-1", "{}").await;
        assert_eq!((reply.status, reply.code().as_str()), (500, "internal"));
        assert_eq!(app.n_effects("written").await, 0);
    });
}

#[test]
fn every_answer_says_what_the_key_came_to() {
    run(async {
        let app = App::start().await;
        let stranger = crate::harness::Caller::new(&app.url, "no-token-of-ours");
        for (caller, method, path, status, code) in [
            (app.caller(), Method::GET, "/nowhere", 404, "not-found"),
            (
                app.caller(),
                Method::GET,
                "/charge/ch_none",
                404,
                "not-found",
            ),
            (
                app.caller(),
                Method::DELETE,
                "/charge",
                405,
                "method-not-allowed",
            ),
            (
                app.caller(),
                Method::GET,
                "/charge",
                405,
                "method-not-allowed",
            ),
            (
                stranger.clone(),
                Method::POST,
                "/charge",
                401,
                "unauthorized",
            ),
            (
                stranger,
                Method::GET,
                "/charge/ch_none",
                401,
                "unauthorized",
            ),
        ] {
            let reply = caller.send(method.clone(), path, &KEY, "").await;
            let what = format!("{method} {path}: {reply:?}");
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (status, code),
                "{what}"
            );
            assert_eq!(reply.idempotency_status(), "ignored", "{what}");
        }
        let reply = app.caller().send(Method::GET, "/charge", &[], "").await;
        assert_eq!(reply.header("allow"), "POST");
        assert!(app.is_untouched().await);
    });
}

#[test]
fn a_mismatch_is_409_where_the_settings_say_so() {
    run(async {
        let app =
            App::made(Recipe::default().with(|it| it.idempotency.mismatch_status = 409)).await;
        assert_eq!(app.caller().charge("k-1", 1).await.status, 201);
        let other = app.caller().charge("k-1", 2).await;
        assert_eq!((other.status, other.code().as_str()), (409, "key-reused"));
        assert_eq!(other.json()["status"], 409);
        assert_eq!(other.idempotency_status(), "mismatch");
    });
}
