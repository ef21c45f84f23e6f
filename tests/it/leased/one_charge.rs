//! A processor that tells repeats by our key: whatever happens on the way, one charge.

use futures_util::future::join_all;
use oncely::failpoint::Action;
use oncely::testkit::{Processor, Quirk};

use super::world::{BOTH, body, pay, paying_at};
use crate::harness::{App, run};

#[test]
fn a_payment_is_charged_once_told_once_and_replayed() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(true).await.unwrap();
            let app = App::made(paying_at(&processor, true).redis(redis)).await;
            let caller = app.caller();
            let first = pay(&caller, "k-1", "tok_visa").await;
            assert_eq!(first.status, 201, "{first:?}");
            assert_eq!(first.idempotency_status(), "created");
            let [charge] = &processor.charges_of("tok_visa")[..] else {
                panic!("one charge");
            };
            let payment = first.json();
            assert_eq!(payment["id"], charge.reference.as_str());
            assert_eq!(payment["processor_reference"], charge.id.as_str());
            assert_eq!(
                (payment["amount"].as_i64(), charge.amount),
                (Some(4200), 4200)
            );
            assert_eq!(payment["status"], "succeeded");

            let second = pay(&caller, "k-1", "tok_visa").await;
            assert_eq!(second.idempotency_status(), "replayed");
            assert_eq!(second.essence(), first.essence());
            assert_eq!(processor.seen("tok_visa").len(), 1);
            assert_eq!(app.n_payments("tok_visa", "succeeded").await, 1);
            assert_eq!(app.n_events().await, 1);

            let row = app.row("k-1").await;
            let key = row.downstream_key.unwrap();
            let sent = processor.seen("tok_visa")[0].key.clone();
            assert_eq!(sent, Some(format!("\"{key}\"")), "the stored key was sent");
            assert_eq!((row.state.as_str(), row.attempt), ("completed", 1));
            assert_eq!(
                (row.carried, row.phase),
                (None, None),
                "the request is gone"
            );
        }
    });
}

#[test]
fn an_answer_that_is_lost_after_the_work_ends_in_one_charge() {
    run(async {
        for quirk in [
            Quirk::HangUpAfterWork,
            Quirk::FailAfterWork(500),
            Quirk::FailAfterWork(408),
            Quirk::NeverAnswer,
        ] {
            let processor = Processor::start(true).await.unwrap();
            let app = App::made(paying_at(&processor, true)).await;
            processor.script("tok_lost", [quirk]);
            let reply = pay(&app.caller(), "k-1", "tok_lost").await;
            assert_eq!(reply.status, 201, "{quirk:?}: {reply:?}");
            assert_eq!(processor.charges_of("tok_lost").len(), 1, "{quirk:?}");
            let seen = processor.seen("tok_lost");
            assert_eq!(seen.len(), 2, "{quirk:?}");
            assert_eq!(seen[0].key, seen[1].key, "{quirk:?}");
            assert_eq!(app.n_events().await, 1, "{quirk:?}");
        }
    });
}

#[test]
fn an_event_carries_on_the_trace_of_the_request_that_began_it() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        let app = App::made(paying_at(&processor, true)).await;
        app.points.arm("store.leased.after_call", Action::Error);
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = [("idempotency-key", "k-1"), ("traceparent", trace)];
        let caller = app.caller();
        let begun = caller
            .send(http::Method::POST, "/payments", &headers, &body("tok_visa"))
            .await;
        assert_eq!(begun.code(), "operation-unfinished");
        assert_eq!(pay(&caller, "k-1", "tok_visa").await.status, 201);
        let traced = format!(
            "SELECT count(*) FROM oncely.outbox_event WHERE headers ->> 'traceparent' = '{trace}'"
        );
        assert_eq!(app.count(&traced).await, 1);
    });
}

#[test]
fn a_commit_whose_answer_is_lost_is_looked_up() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(false).await.unwrap();
            let app = App::made(paying_at(&processor, false).redis(redis)).await;
            app.points.arm("store.leased.after_complete", Action::Error);
            let first = pay(&app.caller(), "k-1", "tok_visa").await;
            assert_eq!(first.status, 201, "{first:?}");
            let second = pay(&app.caller(), "k-1", "tok_visa").await;
            assert_eq!(second.essence(), first.essence());
            assert_eq!(processor.seen("tok_visa").len(), 1);
            assert_eq!(app.n_events().await, 1);
        }
    });
}

#[test]
fn what_was_not_done_is_sent_again_within_the_attempt() {
    run(async {
        for quirk in [Quirk::HangUpBeforeWork, Quirk::FailBeforeWork(503)] {
            let processor = Processor::start(true).await.unwrap();
            let app = App::made(paying_at(&processor, true)).await;
            processor.script("tok_shy", [quirk, quirk]);
            let reply = pay(&app.caller(), "k-1", "tok_shy").await;
            assert_eq!(reply.status, 201, "{quirk:?}: {reply:?}");
            assert_eq!(processor.charges_of("tok_shy").len(), 1, "{quirk:?}");
            assert_eq!(processor.seen("tok_shy").len(), 3, "{quirk:?}");
        }
    });
}

#[test]
fn a_processor_that_stays_sick_is_503_nothing_is_stored_and_the_same_key_resumes() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(true).await.unwrap();
            let app = App::made(paying_at(&processor, true).redis(redis)).await;
            let caller = app.caller();
            processor.always("tok_sick", Quirk::FailAfterWork(500));
            let first = pay(&caller, "k-1", "tok_sick").await;
            assert_eq!(
                (first.status, &*first.code()),
                (503, "operation-unfinished")
            );
            assert_eq!(first.header("retry-after"), "2");
            assert!(1 < processor.seen("tok_sick").len(), "tried again");
            let row = app.row("k-1").await;
            assert_eq!((row.state.as_str(), row.status), ("leased", None));
            assert_eq!(row.phase.as_deref(), Some("charge"));
            assert_eq!(
                app.redis_values().await,
                [] as [Vec<u8>; 0],
                "nothing cached"
            );
            assert_eq!(app.n_payments("tok_sick", "pending").await, 1);

            processor.always("tok_sick", Quirk::None);
            let second = pay(&caller, "k-1", "tok_sick").await;
            assert_eq!(second.status, 201, "{second:?}");
            assert_eq!(second.idempotency_status(), "created");
            let keys: Vec<_> = processor
                .seen("tok_sick")
                .into_iter()
                .map(|it| it.key)
                .collect();
            assert!(keys.windows(2).all(|it| it[0] == it[1]), "{keys:?}");
            assert_eq!(processor.charges_of("tok_sick").len(), 1);
            assert_eq!(app.n_payments("tok_sick", "succeeded").await, 1);
            assert_eq!(app.row("k-1").await.attempt, 2);
        }
    });
}

#[test]
fn of_32_simultaneous_payments_one_is_charged_and_the_others_wait_or_replay() {
    run(async {
        for redis in BOTH {
            // A processor that would charge each request is the sterner judge.
            let processor = Processor::start(false).await.unwrap();
            let app = App::made(paying_at(&processor, false).redis(redis)).await;
            let caller = app.caller();
            for round in 0..8 {
                let (key, source) = (format!("k-{round}"), format!("tok_{round}"));
                let payload = body(&source);
                let all = (0..32).map(|_| caller.post("/payments", &key, &payload));
                let replies = join_all(all).await;
                let n = |status: &str| {
                    let of = replies
                        .iter()
                        .filter(|it| it.idempotency_status() == status);
                    of.count()
                };
                assert_eq!(n("created"), 1, "{replies:?}");
                assert_eq!(
                    n("created") + n("replayed") + n("in-flight"),
                    32,
                    "{replies:?}"
                );
                assert_eq!(processor.charges_of(&source).len(), 1);
                assert_eq!(processor.seen(&source).len(), 1);
            }
            assert_eq!(app.n_open_transactions().await, 0);
        }
    });
}
