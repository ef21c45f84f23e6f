//! A processor that charges each request: what was sent and not answered is not sent again.

use std::time::Duration;

use oncely::failpoint::Action;
use oncely::ledger::{Fenced, Finding, Resolve};
use oncely::testkit::{Processor, Quirk};
use serde_json::json;

use super::world::{BOTH, body, lease, pay, paying_at};
use crate::harness::{App, run};

fn resolve(attempt: i32, finding: Finding) -> Resolve {
    Resolve {
        seen: lease("k-1", attempt),
        finding,
        who: "ada".to_owned(),
        why: "read in the processor's books".to_owned(),
    }
}

#[test]
fn a_call_without_an_answer_is_never_sent_again_by_itself() {
    run(async {
        for redis in BOTH {
            for (quirk, n_charges) in [
                (Quirk::HangUpAfterWork, 1),
                (Quirk::HangUpBeforeWork, 0),
                (Quirk::FailAfterWork(500), 1),
                (Quirk::NeverAnswer, 1),
            ] {
                let processor = Processor::start(false).await.unwrap();
                let app = App::made(paying_at(&processor, false).redis(redis.clone())).await;
                let caller = app.caller();
                processor.script("tok_lost", [quirk]);
                for _ in 0..3 {
                    let reply = pay(&caller, "k-1", "tok_lost").await;
                    assert_eq!((reply.status, &*reply.code()), (409, "operation-unknown"));
                    assert_eq!(reply.idempotency_status(), "unknown");
                    assert_eq!(reply.header("retry-after"), "");
                    let problem = reply.json();
                    let reference = lease("k-1", 0).reference();
                    assert_eq!(problem["operation_ref"], reference.as_str());
                    assert_eq!(problem["safe_new_key"], false);
                }
                let other = caller.post("/payments", "k-1", &body("tok_b")).await;
                assert_eq!(other.code(), "key-reused");
                app.end_leases().await;
                assert_eq!(processor.seen("tok_lost").len(), 1, "{quirk:?}");
                assert_eq!(processor.charges_of("tok_lost").len(), n_charges);
                assert_eq!(app.row("k-1").await.state, "unknown");
                assert_eq!(app.redis_values().await, [] as [Vec<u8>; 0]);
            }
        }
    });
}

#[test]
fn what_an_operator_found_brings_it_to_its_end() {
    run(async {
        for quirk in [Quirk::HangUpAfterWork, Quirk::HangUpBeforeWork] {
            let processor = Processor::start(false).await.unwrap();
            let app = App::made(paying_at(&processor, false)).await;
            let caller = app.caller();
            processor.script("tok_lost", [quirk]);
            let unknown = pay(&caller, "k-1", "tok_lost").await;
            assert_eq!(unknown.code(), "operation-unknown");
            let finding = match &processor.charges_of("tok_lost")[..] {
                [] => Finding::DidNotHappen,
                [charge, ..] => Finding::Happened(json!({"succeeded": {"reference": charge.id}})),
            };
            let ledger = app.store.ledger();
            let wrong = ledger.resolve(&resolve(7, finding.clone())).await.unwrap();
            assert_eq!(wrong, Fenced::Lost, "another attempt than was seen");
            let right = ledger.resolve(&resolve(1, finding.clone())).await.unwrap();
            assert_eq!(right, Fenced::Done(()));
            let twice = ledger.resolve(&resolve(1, finding)).await.unwrap();
            assert_eq!(twice, Fenced::Lost, "it is resolved");

            let reply = pay(&caller, "k-1", "tok_lost").await;
            assert_eq!(reply.status, 201, "{quirk:?}: {reply:?}");
            let [charge] = &processor.charges_of("tok_lost")[..] else {
                panic!("one charge, after {quirk:?}");
            };
            assert_eq!(reply.json()["processor_reference"], charge.id.as_str());
            assert_eq!(app.n_payments("tok_lost", "succeeded").await, 1);
            assert_eq!(app.n_events().await, 1);
            assert_eq!(app.count("SELECT count(*) FROM oncely.key_audit").await, 1);
        }
    });
}

#[test]
fn an_operators_mistake_can_be_put_right_until_it_is_done() {
    run(async {
        let processor = Processor::start(false).await.unwrap();
        let app = App::made(paying_at(&processor, false)).await;
        let (caller, ledger) = (app.caller(), app.store.ledger());
        processor.script("tok_lost", [Quirk::HangUpBeforeWork]);
        let unknown = pay(&caller, "k-1", "tok_lost").await;
        assert_eq!(unknown.code(), "operation-unknown");
        let wrong = Finding::Happened(json!({"succeded": "prc_1"}));
        let said = ledger.resolve(&resolve(1, wrong)).await.unwrap();
        assert_eq!(said, Fenced::Done(()));
        let stuck = pay(&caller, "k-1", "tok_lost").await;
        assert_eq!(stuck.code(), "operation-unfinished", "nobody can read that");
        assert_eq!(processor.seen("tok_lost").len(), 1, "and nothing was sent");

        let attempt = app.row("k-1").await.attempt;
        let right = resolve(attempt, Finding::DidNotHappen);
        assert_eq!(ledger.resolve(&right).await.unwrap(), Fenced::Done(()));
        let paid = pay(&caller, "k-1", "tok_lost").await;
        assert_eq!(paid.status, 201, "{paid:?}");
        let late = resolve(app.row("k-1").await.attempt, Finding::DidNotHappen);
        assert_eq!(ledger.resolve(&late).await.unwrap(), Fenced::Lost, "done");
        assert_eq!(processor.charges_of("tok_lost").len(), 1);
        assert_eq!(app.count("SELECT count(*) FROM oncely.key_audit").await, 2);
    });
}

#[test]
fn a_leased_record_that_nobody_resolved_takes_no_finding() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        let app = App::made(paying_at(&processor, true)).await;
        for point in ["store.leased.before_call", "store.leased.before_complete"] {
            app.points.arm(point, Action::Error);
            let unfinished = pay(&app.caller(), "k-1", "tok_visa").await;
            assert_eq!(unfinished.code(), "operation-unfinished");
            let before = app.row("k-1").await;
            for finding in [Finding::DidNotHappen, Finding::Happened(json!(1))] {
                let resolve = resolve(before.attempt, finding);
                let said = app.store.ledger().resolve(&resolve).await.unwrap();
                assert_eq!(said, Fenced::Lost, "{point}");
            }
            assert_eq!(app.row("k-1").await, before, "{point}");
        }
    });
}

#[test]
fn a_predecessor_that_stored_its_key_may_have_sent_it() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(false).await.unwrap();
            let app = App::made(paying_at(&processor, false).redis(redis)).await;
            // The first attempt ends between its key and its call; nobody can see which side of it.
            app.points.arm("store.leased.before_call", Action::Error);
            let caller = app.caller();
            let first = pay(&caller, "k-1", "tok_visa").await;
            assert_eq!(first.code(), "operation-unfinished");
            let second = pay(&caller, "k-1", "tok_visa").await;
            assert_eq!(second.code(), "operation-unknown");
            assert!(processor.seen("tok_visa").is_empty());
        }
    });
}

#[test]
fn an_answer_that_comes_after_the_attempts_time_is_not_forgotten() {
    run(async {
        let processor = Processor::start(false).await.unwrap();
        let recipe = paying_at(&processor, false).with(|config| {
            config.ledger.operation_timeout = Duration::from_millis(700);
            config.processor.timeout = Duration::from_secs(3);
        });
        let app = App::made(recipe).await;
        let late = Quirk::AnswerLate(Duration::from_secs(1));
        processor.script("tok_late", [late]);
        let reply = pay(&app.caller(), "k-1", "tok_late").await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(processor.charges_of("tok_late").len(), 1);
    });
}

#[test]
fn a_decline_or_a_charge_is_an_answer_whether_or_not_keys_are_taken() {
    run(async {
        let processor = Processor::start(false).await.unwrap();
        let app = App::made(paying_at(&processor, false)).await;
        let caller = app.caller();
        processor.script("tok_no", [Quirk::Decline]);
        assert_eq!(pay(&caller, "k-1", "tok_no").await.code(), "card-declined");
        assert_eq!(pay(&caller, "k-2", "tok_yes").await.status, 201);
        // A 4xx that is no decline says that nothing was done.
        processor.script("tok_429", [Quirk::FailBeforeWork(429)]);
        assert_eq!(pay(&caller, "k-3", "tok_429").await.status, 201);
        assert_eq!(processor.charges_of("tok_429").len(), 1);
    });
}
