//! `GET /payments/{id}`, and where a payment's answer says that it is.

use oncely::failpoint::Action;
use oncely::testkit::{Processor, Quirk};

use super::world::{BOTH, pay, paying_at};
use crate::harness::{App, run};

#[test]
fn a_payment_is_found_at_its_location_which_a_replay_repeats() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(true).await.unwrap();
            let app = App::made(paying_at(&processor, true).redis(redis)).await;
            let caller = app.caller();
            let made = pay(&caller, "k-1", "tok_visa").await;
            let id = made.json()["id"].as_str().unwrap().to_owned();
            assert_eq!(made.header("location"), format!("/payments/{id}"));
            app.flush_redis().await;
            let replayed = pay(&caller, "k-1", "tok_visa").await;
            assert_eq!(replayed.idempotency_status(), "replayed");
            assert_eq!(replayed.header("location"), made.header("location"));
            let shown = caller.get(made.header("location")).await;
            assert_eq!((shown.status, &shown.body), (200, &made.body));
            assert_eq!(shown.idempotency_status(), "ignored");
            let theirs = app.other_tenant().get(made.header("location")).await;
            assert_eq!((theirs.status, &*theirs.code()), (404, "not-found"));
            for id in ["pmt_none", "%00", "%FF"] {
                let none = caller.get(&format!("/payments/{id}")).await;
                assert_eq!((none.status, &*none.code()), (404, "not-found"), "{id}");
            }
        }
    });
}

#[test]
fn a_payment_that_is_pending_or_declined_is_shown_as_that() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        let app = App::made(paying_at(&processor, true)).await;
        let caller = app.caller();
        processor.script("tok_no", [Quirk::Decline]);
        assert_eq!(pay(&caller, "k-1", "tok_no").await.status, 402);
        app.points.arm("store.leased.before_call", Action::Error);
        assert_eq!(pay(&caller, "k-2", "tok_visa").await.status, 503);
        let [no, open] = ["tok_no", "tok_visa"].map(|source| {
            app.text(format!(
                "SELECT id FROM public.payments WHERE source = '{source}'"
            ))
        });
        let (no, open) = (no.await, open.await);
        for (id, status) in [(no, "declined"), (open, "pending")] {
            let shown = caller.get(&format!("/payments/{id}")).await;
            assert_eq!(shown.status, 200, "{shown:?}");
            let shown = shown.json();
            assert_eq!(shown["status"], status);
            assert_eq!(shown["processor_reference"], serde_json::Value::Null);
        }
    });
}
