//! `If-Match`, `If-None-Match` and `ETag` on invoices.

use oncely::testkit::TaxService;

use super::world::{asking, put};
use crate::harness::{App, run};

#[test]
fn a_condition_that_does_not_hold_is_412_asks_nobody_and_changes_nothing() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let caller = app.caller();
        for value in ["*", "\"1\""] {
            let nothing = put(&caller, "inv_1", &[("if-match", value)], 1000).await;
            assert_eq!(
                (nothing.status, &*nothing.code()),
                (412, "precondition-failed")
            );
        }
        let none = [("if-none-match", "*")];
        let created = put(&caller, "inv_1", &none, 1000).await;
        assert_eq!((created.status, created.header("etag")), (201, "\"1\""));
        for condition in [
            ("if-none-match", "*"),
            ("if-none-match", "\"1\""),
            ("if-match", "\"2\""),
            ("if-match", "W/\"1\""),
            ("if-match", "1"),
            ("if-match", ""),
        ] {
            let refused = put(&caller, "inv_1", &[condition], 2000).await;
            assert_eq!(refused.status, 412, "{condition:?}: {refused:?}");
            assert_eq!(refused.code(), "precondition-failed");
            assert_eq!(refused.json()["retryable"], false);
            assert_eq!(refused.idempotency_status(), "ignored");
        }
        assert_eq!(service.asked().len(), 1, "no condition, no question");
        assert_eq!(caller.get("/invoices/inv_1").await.body, created.body);
        for (etag, condition) in [
            ("\"2\"", ("if-match", "\"1\"")),
            ("\"3\"", ("if-match", "\"7\", \"2\"")),
            ("\"4\"", ("if-match", "*")),
            ("\"5\"", ("if-none-match", "\"1\"")),
        ] {
            let amount = etag.trim_matches('"').parse::<i64>().unwrap();
            let replaced = put(&caller, "inv_1", &[condition], amount).await;
            assert_eq!(
                (replaced.status, replaced.header("etag")),
                (200, etag),
                "{condition:?}"
            );
        }
        assert_eq!(app.n_told("invoice.replaced").await, 4);
    });
}

#[test]
fn the_retry_of_a_put_that_was_done_is_told_so_unless_it_was_to_be_the_first() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let caller = app.caller();
        let created = put(&caller, "inv_1", &[("if-none-match", "*")], 1000).await;
        let retried = put(&caller, "inv_1", &[("if-none-match", "*")], 1000).await;
        assert_eq!((created.status, retried.status), (201, 412));
        let replaced = put(&caller, "inv_1", &[("if-match", "\"1\"")], 2000).await;
        let retried = put(&caller, "inv_1", &[("if-match", "\"1\"")], 2000).await;
        assert_eq!((replaced.status, retried.status), (200, 200));
        assert_eq!(
            (&retried.body, retried.header("etag")),
            (&replaced.body, "\"2\"")
        );
        assert_eq!(service.asked().len(), 2);
    });
}

#[test]
fn a_reader_who_has_it_is_told_304() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let caller = app.caller();
        put(&caller, "inv_1", &[], 1000).await;
        let read = async |tag: &str| {
            let condition = [("if-none-match", tag)];
            let path = "/invoices/inv_1";
            caller.send(http::Method::GET, path, &condition, "").await
        };
        let known = read("\"1\"").await;
        assert_eq!(
            (known.status, known.body.len(), known.header("etag")),
            (304, 0, "\"1\"")
        );
        put(&caller, "inv_1", &[], 2000).await;
        let changed = read("\"1\"").await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    });
}
