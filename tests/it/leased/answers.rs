//! What a client is told: declined, mismatched, in flight, not configured.

use std::time::Duration;

use oncely::testkit::{Processor, Quirk};

use super::world::{BOTH, body, pay, paying_at};
use crate::harness::{App, Recipe, run};

#[test]
fn a_decline_is_stored_and_replayed_byte_for_byte() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(true).await.unwrap();
            let app = App::made(paying_at(&processor, true).redis(redis)).await;
            let caller = app.caller();
            // The second one would be charged.
            processor.script("tok_declined", [Quirk::Decline]);
            let first = pay(&caller, "k-1", "tok_declined").await;
            assert_eq!((first.status, &*first.code()), (402, "card-declined"));
            assert_eq!(first.idempotency_status(), "created");
            let detail = first.json()["detail"].to_string();
            assert!(detail.contains("declined by its issuer"), "{detail}");
            let second = pay(&caller, "k-1", "tok_declined").await;
            assert_eq!(second.idempotency_status(), "replayed");
            assert_eq!(second.essence(), first.essence());
            app.flush_redis().await;
            let third = pay(&caller, "k-1", "tok_declined").await;
            assert_eq!(third.essence(), first.essence());
            assert_eq!(processor.seen("tok_declined").len(), 1);
            assert_eq!(app.n_payments("tok_declined", "declined").await, 1);
            assert_eq!(app.n_events().await, 0);
        }
    });
}

#[test]
fn another_body_is_a_mismatch_in_flight_unfinished_and_done() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(true).await.unwrap();
            let app = App::made(paying_at(&processor, true).redis(redis)).await;
            let caller = app.caller();
            let mut held = app.points.hold("store.leased.before_call");
            let mine = app.caller();
            let first = app
                .store
                .tasks()
                .spawn(async move { pay(&mine, "k-1", "tok_a").await });
            assert!(held.arrived().await);
            // Committed, so that everybody can see what was asked for.
            let other = pay(&caller, "k-1", "tok_b").await;
            assert_eq!((other.status, &*other.code()), (422, "key-reused"));
            let same = pay(&caller, "k-1", "tok_a").await;
            assert_eq!((same.status, &*same.code()), (409, "in-flight"));
            assert_eq!(same.header("retry-after"), "1");
            app.end_leases().await;
            let other = pay(&caller, "k-1", "tok_b").await;
            assert_eq!(other.code(), "key-reused", "it does not take over");
            assert_eq!(app.row("k-1").await.attempt, 1);
            held.release();
            assert_eq!(first.await.unwrap().status, 201);
            let other = pay(&caller, "k-1", "tok_b").await;
            assert_eq!(other.code(), "key-reused");
            assert!(processor.seen("tok_b").is_empty());
            assert_eq!(processor.charges_of("tok_a").len(), 1);
        }
    });
}

#[test]
fn without_a_processor_nothing_is_claimed_and_the_setting_is_named() {
    run(async {
        let app = App::made(Recipe::default()).await;
        let reply = pay(&app.caller(), "k-1", "tok_visa").await;
        assert_eq!((reply.status, &*reply.code()), (503, "not-configured"));
        let detail = reply.json()["detail"].to_string();
        assert!(detail.contains("`processor.url`"), "{detail}");
        assert_eq!(app.n_records().await, 0);
    });
}

#[test]
fn a_body_that_is_refused_burns_no_key_and_a_key_is_required() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        let app = App::made(paying_at(&processor, true)).await;
        let caller = app.caller();
        let wrong = body("tok_visa").replace("4200", "0");
        let refused = caller.post("/payments", "k-1", &wrong).await;
        assert_eq!(refused.code(), "body-invalid");
        let keyless = caller
            .send(http::Method::POST, "/payments", &[], &body("tok_visa"))
            .await;
        assert_eq!(keyless.code(), "key-missing");
        assert_eq!(app.n_records().await, 0);
        assert_eq!(pay(&caller, "k-1", "tok_visa").await.status, 201);
    });
}

#[test]
fn a_processor_that_is_not_there_is_503_and_the_key_works_once_it_is() {
    run(async {
        for accepts_keys in [true, false] {
            let gone = Processor::start(accepts_keys).await.unwrap();
            let recipe = paying_at(&gone, accepts_keys)
                .with(|it| it.ledger.operation_timeout = Duration::from_millis(1700));
            drop(gone);
            let app = App::made(recipe).await;
            let first = pay(&app.caller(), "k-1", "tok_visa").await;
            assert_eq!(first.code(), "operation-unfinished", "{first:?}");
            let row = app.row("k-1").await;
            assert_eq!(
                row.state, "leased",
                "nothing was sent, so nothing is unknown"
            );
            assert_eq!(row.downstream_key, None, "and it says so");
            let processor = Processor::start(accepts_keys).await.unwrap();
            let beside = paying_at(&processor, accepts_keys).beside(&app);
            let later = App::made(beside).await;
            let second = pay(&later.caller(), "k-1", "tok_visa").await;
            assert_eq!(second.status, 201, "{second:?}");
            assert_eq!(processor.charges_of("tok_visa").len(), 1);
            assert_eq!(app.n_payments("tok_visa", "succeeded").await, 1);
        }
    });
}
