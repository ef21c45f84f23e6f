//! `PUT /invoices/{id}`: creates, replaces, converges, and needs no key for it.

use oncely::testkit::{Database, Proxy, TaxQuirk, TaxService};
use sqlx::{Connection, PgConnection};

use super::world::{BOTH, asking, body, invoice, put};
use crate::harness::{App, run, until};

#[test]
fn a_put_creates_then_replaces_and_converges() {
    run(async {
        for redis in BOTH {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service).redis(redis)).await;
            let caller = app.caller();
            let created = put(&caller, "inv_1", &[], 1000).await;
            assert_eq!(created.status, 201, "{created:?}");
            assert_eq!(created.header("location"), "/invoices/inv_1");
            assert_eq!(created.header("etag"), "\"1\"");
            assert_eq!(created.idempotency_status(), "ignored");

            // The same again, as after a lost answer.
            for _ in 0..2 {
                let again = put(&caller, "inv_1", &[], 1000).await;
                assert_eq!((again.status, &again.body), (200, &created.body));
                assert_eq!(again.header("etag"), "\"1\"");
                assert_eq!(again.header("location"), "");
            }
            assert_eq!(service.asked().len(), 1, "nothing to write, nothing to ask");

            let one_line = body(1000).replace(r#", {"description": "a bag", "amount": 5}"#, "");
            let path = "/invoices/inv_1";
            let replaced = caller.send(http::Method::PUT, path, &[], &one_line).await;
            assert_eq!(replaced.status, 200, "{replaced:?}");
            assert_eq!(replaced.header("etag"), "\"2\"");
            let (before, after) = (created.json(), replaced.json());
            assert_eq!(
                (&after["subtotal"], &after["total"]),
                (&1000.into(), &1190.into())
            );
            assert_eq!(after["created_at"], before["created_at"]);
            assert_ne!(after["updated_at"], before["updated_at"]);
            let shown = caller.get(path).await;
            assert_eq!(
                (shown.body, shown.headers.get("etag")),
                (replaced.body, replaced.headers.get("etag"))
            );
            assert_eq!((app.n_invoices().await, app.n_lines().await), (1, 1));
            assert_eq!(app.n_told("invoice.created").await, 1);
            assert_eq!(app.n_told("invoice.replaced").await, 1);
            assert_eq!(app.n_records().await, 0, "no key, no record");
        }
    });
}

#[test]
fn a_key_that_is_sent_to_a_put_is_ignored() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let key = [("idempotency-key", "k-1")];
        let first = put(&app.caller(), "inv_1", &key, 1000).await;
        let second = put(&app.caller(), "inv_1", &key, 2000).await;
        assert_eq!((first.status, second.status), (201, 200));
        assert_eq!(second.idempotency_status(), "ignored");
        assert_eq!(second.json()["subtotal"], 2005);
        assert_eq!(app.n_records().await, 0);
    });
}

#[test]
fn a_replay_of_a_post_repeats_its_answer_also_after_a_put() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let caller = app.caller();
        let made = invoice(&caller, "k-1", 1000).await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let replaced = put(&caller, &id, &[("if-match", made.header("etag"))], 2000).await;
        assert_eq!((replaced.status, replaced.header("etag")), (200, "\"2\""));
        let again = invoice(&caller, "k-1", 1000).await;
        assert_eq!(again.essence(), made.essence());
        let shown = caller.get(made.header("location")).await;
        assert_eq!(shown.json()["subtotal"], 2005);
    });
}

#[test]
fn a_put_whose_tax_is_refused_or_not_known_changes_nothing() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let caller = app.caller();
        let created = put(&caller, "inv_1", &[], 1000).await;
        let nowhere = body(1000).replace("DE", "XX");
        let path = "/invoices/inv_1";
        let refused = caller.send(http::Method::PUT, path, &[], &nowhere).await;
        assert_eq!((refused.status, &*refused.code()), (422, "tax-refused"));
        assert_eq!(refused.idempotency_status(), "ignored");
        service.always(TaxQuirk::Fail(503));
        let silent = put(&caller, "inv_1", &[], 2000).await;
        assert_eq!((silent.status, &*silent.code()), (503, "tax-unavailable"));
        assert_eq!(silent.idempotency_status(), "ignored");
        assert_eq!(silent.header("retry-after"), "2");
        assert_eq!(service.asked().len(), 1 + 1 + 4);
        let shown = caller.get(path).await;
        assert_eq!(shown.body, created.body);
        // The service may be sick: what is there needs no tax.
        let again = put(&caller, "inv_1", &[], 1000).await;
        assert_eq!(again.status, 200, "{again:?}");
        service.always(TaxQuirk::None);
        let done = put(&caller, "inv_1", &[], 2000).await;
        assert_eq!(done.json()["subtotal"], 2005);
        assert_eq!((app.n_invoices().await, app.n_lines().await), (1, 2));
    });
}

#[test]
fn a_put_whose_commit_is_not_answered_is_done_once_by_its_retry() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let pair = oncely::testkit::Pair::shared().await.unwrap();
        let database: Database = crate::harness::migrated(pair.postgres.url()).await;
        let proxy = Proxy::start(database.url()).await.unwrap();
        let recipe = asking(&service).database_at(database.url());
        let app = App::made(recipe.through(proxy.url())).await;
        let caller = app.caller();
        assert_eq!(put(&caller, "inv_1", &[], 1000).await.status, 201);
        let condition = [("if-match", "\"1\"")];
        // It is held inside its transaction, so that the cut hits its COMMIT and nothing before it.
        let mut blocker = PgConnection::connect(database.url()).await.unwrap();
        let lock =
            "BEGIN; SELECT seq FROM oncely.outbox_aggregate WHERE kind = 'invoice' FOR UPDATE";
        sqlx::raw_sql(lock).execute(&mut blocker).await.unwrap();
        let mine = app.caller();
        let tasks = app.store.tasks();
        let first = tasks.spawn(async move { put(&mine, "inv_1", &condition, 2000).await });
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until(|| async { app.count(waiting).await == 1 }).await;
        let lost = proxy.cut_after_commit();
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut blocker)
            .await
            .unwrap();
        let first = first.await.unwrap();
        assert_eq!(
            (first.status, &*first.code()),
            (503, "outcome-unknown"),
            "{first:?}"
        );
        lost.wait().await.unwrap();
        assert_eq!(first.json()["retryable"], true);
        // It was done; its retry finds that, though its condition is outdated.
        let second = put(&caller, "inv_1", &condition, 2000).await;
        assert_eq!((second.status, second.header("etag")), (200, "\"2\""));
        assert_eq!(app.n_told("invoice.replaced").await, 1);
    });
}
