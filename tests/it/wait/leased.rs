//! Waiting for an operation whose effect lies elsewhere.

use std::time::Duration;

use oncely::failpoint::Action;
use oncely::testkit::Processor;

use super::world::{Pending, is_replay, send};
use crate::harness::{App, Recipe, RedisChoice, run};

const BODY: &str = r#"{"amount": 4200, "currency": "USD", "source": "tok_visa"}"#;

const BOTH: [RedisChoice; 2] = [RedisChoice::Shared, RedisChoice::Absent];

async fn paying(redis: RedisChoice) -> (App, Processor) {
    let processor = Processor::start(true).await.unwrap();
    let recipe = Recipe::default().redis(redis).with(|config| {
        config.processor.url = Some(processor.url().into());
        config.processor.timeout = Duration::from_millis(500);
        config.ledger.rescue_interval = Duration::from_hours(1);
        config.ledger.operation_timeout = Duration::from_secs(4);
    });
    (App::made(recipe).await, processor)
}

fn pay(app: &App, prefer: &str) -> Pending {
    send(&app.caller(), "/payments", prefer, BODY)
}

async fn waiting(app: &App) -> Pending {
    let mut begun = app.points.hold("store.wait.begun");
    let second = pay(app, "wait=10");
    assert!(begun.arrived().await);
    begun.release();
    second
}

#[test]
fn a_duplicate_of_a_payment_waits_for_the_processor_too() {
    run(async {
        for redis in BOTH {
            let (app, processor) = paying(redis).await;
            let mut held = app.points.hold("store.leased.before_call");
            let first = pay(&app, "");
            assert!(held.arrived().await);
            app.points.arm("store.wait.look", Action::Hang);
            let second = waiting(&app).await;
            let other = send(
                &app.caller(),
                "/payments",
                "wait=10",
                &BODY.replace('4', "5"),
            );
            assert_eq!(other.reply().await.status, 422, "a mismatch does not wait");
            held.release();
            let first = first.reply().await;
            is_replay(&second.reply().await, &first, "a payment");
            assert_eq!(processor.charges_of("tok_visa").len(), 1);
        }
    });
}

#[test]
fn where_the_first_attempt_gives_up_who_waits_brings_it_to_its_end() {
    run(async {
        for redis in BOTH {
            let (app, processor) = paying(redis).await;
            let mut held = app.points.hold("store.leased.after_call");
            let first = pay(&app, "");
            assert!(held.arrived().await);
            let second = waiting(&app).await;
            app.points
                .arm("store.leased.before_complete", Action::Error);
            held.release();
            let first = first.reply().await;
            assert_eq!(first.code(), "operation-unfinished", "{first:?}");
            let second = second.reply().await;
            assert_eq!(
                (second.status, second.idempotency_status()),
                (201, "created")
            );
            assert_eq!(second.header("preference-applied"), "wait=10");
            assert_eq!(processor.charges_of("tok_visa").len(), 1);
            let paid = "SELECT count(*) FROM public.payments WHERE status = 'succeeded'";
            assert_eq!(app.count(paid).await, 1);
        }
    });
}
