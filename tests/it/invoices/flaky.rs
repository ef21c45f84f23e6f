//! A tax service with bad days: asked again a few times, then 503, and the same key goes on.

use std::time::Duration;

use futures_util::future::join_all;
use oncely::failpoint::Action;
use oncely::testkit::{TaxQuirk, TaxService};

use super::world::{BOTH, asking, body, invoice, put};
use crate::harness::{App, Reply, run, until};

#[test]
fn a_service_that_answers_the_fourth_time_is_asked_four_times_for_one_invoice() {
    run(async {
        for quirk in [
            TaxQuirk::Fail(503),
            TaxQuirk::Fail(429),
            TaxQuirk::Fail(404),
            TaxQuirk::HangUp,
            TaxQuirk::NeverAnswer,
            TaxQuirk::Say("<html>".to_owned()),
        ] {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service)).await;
            service.script([quirk.clone(), quirk.clone(), quirk.clone()]);
            let reply = invoice(&app.caller(), "k-1", 1000).await;
            assert_eq!(reply.status, 201, "{quirk:?}: {reply:?}");
            assert_eq!(service.asked().len(), 4, "{quirk:?}");
            assert_eq!(app.n_invoices().await, 1, "{quirk:?}");
        }
    });
}

#[test]
fn a_service_that_stays_sick_is_503_after_four_tries_and_the_same_key_goes_on() {
    run(async {
        for redis in BOTH {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service).redis(redis)).await;
            let caller = app.caller();
            service.always(TaxQuirk::Fail(500));
            for n in 1..=2 {
                let reply = invoice(&caller, "k-1", 1000).await;
                assert_eq!((reply.status, &*reply.code()), (503, "tax-unavailable"));
                assert_eq!(reply.idempotency_status(), "in-flight");
                assert_eq!(reply.header("retry-after"), "2");
                let problem = reply.json();
                assert_eq!(problem["retryable"], true);
                assert_eq!(problem["retry_same_key"], true);
                assert_eq!(problem["safe_new_key"], false);
                assert_eq!(service.asked().len(), 4 * n, "at most four each time");
                assert_eq!(app.redis_values().await, [] as [Vec<u8>; 0], "not cached");
                let stored = app.stored_rows().await;
                assert!(stored.iter().all(|it| it.body.is_none()), "not stored");
                assert_eq!(app.n_invoices().await, 0);
            }
            let mismatch = invoice(&caller, "k-1", 1001).await;
            assert_eq!(mismatch.code(), "key-reused");

            service.always(TaxQuirk::None);
            let done = invoice(&caller, "k-1", 1000).await;
            assert_eq!((done.status, done.idempotency_status()), (201, "created"));
            let id = done.json()["id"].clone();
            let asked = service.asked();
            assert_eq!(asked.len(), 9);
            assert!(
                asked.iter().all(|it| id == *it.reference),
                "one id: {asked:?}"
            );
            let again = invoice(&caller, "k-1", 1000).await;
            assert_eq!(again.essence(), done.essence());
            assert_eq!((app.n_invoices().await, app.n_records().await), (1, 1));
        }
    });
}

#[test]
fn a_service_that_is_not_there_is_503_and_the_key_works_once_it_is() {
    run(async {
        let gone = TaxService::start().await.unwrap();
        let recipe = asking(&gone);
        drop(gone);
        let app = App::made(recipe).await;
        let first = invoice(&app.caller(), "k-1", 1000).await;
        assert_eq!(first.code(), "tax-unavailable", "{first:?}");
        let unwritten = put(&app.caller(), "inv_1", &[], 1000).await;
        assert_eq!(unwritten.code(), "tax-unavailable", "{unwritten:?}");
        let service = TaxService::start().await.unwrap();
        let later = App::made(asking(&service).beside(&app)).await;
        let second = invoice(&later.caller(), "k-1", 1000).await;
        assert_eq!(second.status, 201, "{second:?}");
        assert_eq!(app.n_invoices().await, 1);
    });
}

#[test]
fn a_quote_that_was_stored_is_not_asked_for_again() {
    run(async {
        for redis in BOTH {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service).redis(redis)).await;
            app.points
                .arm("store.leased.before_complete", Action::Error);
            let first = invoice(&app.caller(), "k-1", 1000).await;
            assert_eq!(first.code(), "operation-unfinished", "{first:?}");
            assert_eq!(app.n_invoices().await, 0, "it was rolled back");
            let second = invoice(&app.caller(), "k-1", 1000).await;
            assert_eq!(second.status, 201, "{second:?}");
            assert_eq!(service.asked().len(), 1);
            assert_eq!(second.json()["id"], *service.asked()[0].reference);
            assert_eq!(app.n_invoices().await, 1);
        }
    });
}

#[test]
fn an_invoice_whose_client_is_gone_is_finished_once_the_service_answers() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let soon = Duration::from_millis(100);
        let recipe = asking(&service).with(|it| it.ledger.rescue_interval = soon);
        let app = App::made(recipe).await;
        service.always(TaxQuirk::HangUp);
        let first = invoice(&app.caller(), "k-1", 1000).await;
        assert_eq!(first.status, 503, "{first:?}");
        service.always(TaxQuirk::None);
        until(|| async { app.n_invoices().await == 1 }).await;
        let reply = invoice(&app.caller(), "k-1", 1000).await;
        assert_eq!(
            (reply.status, reply.idempotency_status()),
            (201, "replayed")
        );
        assert_eq!(app.n_told("invoice.created").await, 1);
    });
}

#[test]
fn of_32_simultaneous_requests_with_one_key_one_asks_and_one_invoice_is_made() {
    run(async {
        for redis in BOTH {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service).redis(redis)).await;
            let caller = app.caller();
            let payload = body(1000);
            let all = (0..32).map(|_| caller.post("/invoices", "k-1", &payload));
            let replies = join_all(all).await;
            let n = |status: &str| {
                let of = replies.iter().map(Reply::idempotency_status);
                of.filter(|it| *it == status).count()
            };
            assert_eq!(n("created"), 1, "{replies:?}");
            assert_eq!(n("replayed") + n("in-flight"), 31, "{replies:?}");
            assert_eq!((service.asked().len(), app.n_invoices().await), (1, 1));
        }
    });
}
