//! What is refused, and that a refusal stays one for its key.

use super::world::{body, reserve};
use crate::harness::{App, run};

#[test]
fn a_reservation_is_answered_by_the_contract_and_replayed() {
    run(async {
        let app = App::start().await;
        app.stock(5).await;
        let first = reserve(&app.caller(), "k-1", 2).await;
        assert_eq!((first.status, first.idempotency_status()), (201, "created"));
        let said = first.json();
        assert!(said["id"].as_str().unwrap().starts_with("rs_"), "{said}");
        assert_eq!(
            (&said["sku"], &said["quantity"]),
            (&"sku-1".into(), &2.into())
        );
        assert_eq!(said["status"], "reserved");
        let second = reserve(&app.caller(), "k-1", 2).await;
        assert_eq!(second.idempotency_status(), "replayed");
        assert_eq!(second.essence(), first.essence());
        let other = reserve(&app.caller(), "k-1", 3).await;
        assert_eq!((other.status, &*other.code()), (422, "key-reused"));
        app.has_stock(3, 2, "one key").await;
    });
}

#[test]
fn out_of_stock_stays_so_for_its_key_also_when_there_is_stock_again() {
    run(async {
        let app = App::start().await;
        app.stock(1).await;
        let caller = app.caller();
        let first = reserve(&caller, "k-1", 2).await;
        assert_eq!((first.status, &*first.code()), (409, "out-of-stock"));
        assert_eq!(first.idempotency_status(), "created");
        assert_eq!(
            first.header("retry-after"),
            "",
            "it is no 409 to come again"
        );
        let said = first.json();
        assert_eq!(said["retryable"], false);
        assert_eq!(said["safe_new_key"], true);
        app.execute("UPDATE public.inventory SET available = 9")
            .await;
        let again = reserve(&caller, "k-1", 2).await;
        assert_eq!(again.idempotency_status(), "replayed");
        assert_eq!(again.essence(), first.essence());
        app.has_stock(9, 0, "refused").await;
        assert_eq!(reserve(&caller, "k-2", 2).await.status, 201);
        app.has_stock(7, 2, "a new key").await;
    });
}

#[test]
fn an_unknown_item_is_404_and_stays_so_for_its_key() {
    run(async {
        let app = App::start().await;
        let caller = app.caller();
        let first = reserve(&caller, "k-1", 1).await;
        assert_eq!((first.status, &*first.code()), (404, "unknown-sku"));
        app.stock(1).await;
        let again = reserve(&caller, "k-1", 1).await;
        assert_eq!(again.essence(), first.essence());
        assert_eq!(again.idempotency_status(), "replayed");
        assert_eq!(reserve(&caller, "k-2", 1).await.status, 201);
    });
}

#[test]
fn a_tenant_sees_and_takes_only_its_own_stock() {
    run(async {
        let app = App::start().await;
        app.stock(1).await;
        let other = reserve(&app.other_tenant(), "k-1", 1).await;
        assert_eq!(other.code(), "unknown-sku");
        assert_eq!(reserve(&app.caller(), "k-1", 1).await.status, 201);
        app.has_stock(0, 1, "its own").await;
    });
}

#[test]
fn a_body_that_is_refused_burns_no_key_and_a_key_is_required() {
    run(async {
        let app = App::start().await;
        app.stock(1).await;
        let caller = app.caller();
        for wrong in [
            body("sku-1", 0),
            body("", 1),
            r#"{"sku": "sku-1"}"#.to_owned(),
            r#"{"sku": "sku-1", "quantity": 1.5}"#.to_owned(),
            r#"{"sku": "sku-1", "quantity": 9223372036854775808}"#.to_owned(),
            "[\"sku-1\", 1]".to_owned(),
        ] {
            let refused = caller.post("/reserve", "k-1", &wrong).await;
            assert_eq!(refused.code(), "body-invalid", "{wrong}");
        }
        let keyless = caller
            .send(http::Method::POST, "/reserve", &[], &body("sku-1", 1))
            .await;
        assert_eq!(keyless.code(), "key-missing");
        assert_eq!(app.n_records().await, 0);
        let large = reserve(&caller, "k-0", i64::MAX).await;
        assert_eq!(large.code(), "out-of-stock");
        assert_eq!(reserve(&caller, "k-1", 1).await.status, 201);
    });
}
