//! Carts: `PUT` and `DELETE` come to the same however often they are sent.

use futures_util::future::join_all;
use http::Method;
use oncely::testkit::Proxy;

use crate::harness::{App, Caller, Reply, run};

const LINES: &str =
    r#"{"lines": [{"sku": "sku-1", "quantity": 2}, {"sku": "sku-2", "quantity": 1}]}"#;

async fn put(caller: &Caller, body: &str) -> Reply {
    caller.send(Method::PUT, "/carts/c-1", &[], body).await
}

async fn delete(caller: &Caller) -> Reply {
    let headers = [("idempotency-key", "k-1")];
    caller
        .send(Method::DELETE, "/carts/c-1", &headers, "")
        .await
}

impl App {
    async fn n_carts(&self) -> (i64, i64) {
        (
            self.count("SELECT count(*) FROM public.carts").await,
            self.count("SELECT count(*) FROM public.cart_lines").await,
        )
    }
}

#[test]
fn a_cart_is_put_shown_replaced_and_deleted_twice() {
    run(async {
        let app = App::start().await;
        let caller = app.caller();
        let made = put(&caller, LINES).await;
        assert_eq!((made.status, made.idempotency_status()), (201, "ignored"));
        let again = put(&caller, LINES).await;
        assert_eq!((again.status, &again.body), (200, &made.body));
        assert_eq!(caller.get("/carts/c-1").await.body, made.body);
        assert_eq!(app.n_carts().await, (1, 2));
        let emptied = put(&caller, r#"{"lines": []}"#).await;
        assert_eq!(emptied.json()["lines"], serde_json::json!([]));
        assert_eq!(caller.get("/carts/c-1").await.body, emptied.body);
        put(&caller, LINES).await;
        for _ in 0..2 {
            let gone = delete(&caller).await;
            assert_eq!((gone.status, gone.idempotency_status()), (204, "ignored"));
            assert_eq!(app.n_carts().await, (0, 0));
        }
        let shown = caller.get("/carts/c-1").await;
        assert_eq!((shown.status, &*shown.code()), (404, "not-found"));
        assert_eq!(app.n_records().await, 0, "a key is ignored");
    });
}

#[test]
fn a_deletion_whose_reply_is_lost_is_sent_again() {
    run(async {
        let app = App::start().await;
        let proxy = Proxy::start(&app.url).await.unwrap();
        let caller = Caller::new(proxy.url(), "demo-token");
        put(&caller, LINES).await;
        let cut = proxy.cut_after("DELETE /carts", "");
        let lost = caller.try_send(Method::DELETE, "/carts/c-1", &[], "");
        assert!(lost.await.is_err());
        cut.wait().await.unwrap();
        assert_eq!(delete(&caller).await.status, 204);
        assert_eq!(app.n_carts().await, (0, 0));
    });
}

#[test]
fn simultaneous_writers_leave_one_whole_cart() {
    run(async {
        let app = App::start().await;
        let caller = app.caller();
        let bodies: Vec<String> = (1..=16)
            .map(|it| {
                let line = format!(r#"{{"sku": "sku-{it}", "quantity": {it}}}"#);
                format!(r#"{{"lines": [{line}, {line}, {line}]}}"#)
            })
            .collect();
        let replies = join_all(bodies.iter().map(|it| put(&caller, it))).await;
        let n_made = replies.iter().filter(|it| it.status == 201).count();
        assert_eq!(n_made, 1, "{replies:?}");
        let shown = caller.get("/carts/c-1").await.body;
        assert!(replies.iter().any(|it| it.body == shown), "{shown:?}");
        assert_eq!(app.n_carts().await, (1, 3));
    });
}

#[test]
fn a_cart_is_its_tenants_own() {
    run(async {
        let app = App::start().await;
        put(&app.caller(), LINES).await;
        let stranger = app.other_tenant();
        assert_eq!(stranger.get("/carts/c-1").await.status, 404);
        assert_eq!(delete(&stranger).await.status, 204);
        assert_eq!(app.n_carts().await, (1, 2), "that was not theirs");
        assert_eq!(put(&stranger, LINES).await.status, 201);
        assert_eq!(app.n_carts().await, (2, 4));
    });
}

#[test]
fn a_body_or_an_id_that_is_none_changes_nothing() {
    run(async {
        let app = App::start().await;
        let caller = app.caller();
        let line = r#"{"sku": "a", "quantity": 1}"#;
        let too_many = format!(r#"{{"lines": [{}]}}"#, [line; 101].join(","));
        for wrong in [
            "{}",
            "[]",
            "",
            r#"{"lines": [{"sku": "a", "quantity": 0}]}"#,
            r#"{"lines": [{"sku": "", "quantity": 1}]}"#,
            &too_many,
        ] {
            let refused = put(&caller, wrong).await;
            assert_eq!((refused.status, &*refused.code()), (400, "body-invalid"));
        }
        for id in ["%00", "%ff", &"x".repeat(256)] {
            let path = format!("/carts/{id}");
            let refused = caller.send(Method::PUT, &path, &[], LINES).await;
            assert_eq!(refused.status, 404, "{id}");
            assert_eq!(caller.get(&path).await.status, 404, "{id}");
            let gone = caller.send(Method::DELETE, &path, &[], "").await;
            assert_eq!(gone.status, 204, "{id}");
        }
        assert_eq!(app.n_carts().await, (0, 0));
    });
}
