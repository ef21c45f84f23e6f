//! The client and the service together.

use std::time::Duration;

use oncely::client::{Operation, Outcome, Policy};
use oncely::testkit::Proxy;

use super::{client, client_with, done, patient, unknown};
use crate::harness::{App, charge_body, run, until};

fn charge(url: &str, amount: i64) -> Operation {
    let draft = Operation::post(format!("{url}/charge"));
    draft.body("application/json", charge_body(amount)).unwrap()
}

#[test]
fn a_charge_whose_answer_is_lost_is_made_and_told_as_one() {
    run(async {
        let app = App::start().await;
        let proxy = Proxy::start(&app.url).await.unwrap();
        let client = client();
        for amount in 1..=5 {
            let fired = proxy.cut_after("POST /charge", "HTTP/1.1 201");
            let mut operation = charge(proxy.url(), amount);
            let answer = done(client.run(&mut operation, patient()).await);
            fired.wait().await.unwrap();
            assert_eq!(answer.status.as_u16(), 201);
            assert!(answer.is_replayed(), "the first answer was lost");
            assert_eq!(operation.n_attempts(), 2, "{:?}", operation.transcript());
            assert_eq!(app.n_charges_of(amount).await, 1);
            let key = operation.key();
            let again = app.caller().charge(key.as_str(), amount).await;
            assert_eq!(again.body, answer.body, "byte for byte");
        }
        assert_eq!((app.n_charges().await, app.n_records().await), (5, 5));
    });
}

#[test]
fn a_charge_that_nobody_can_tell_of_is_resolved_after_a_restart() {
    run(async {
        let app = App::start().await;
        let proxy = Proxy::start(&app.url).await.unwrap();
        proxy.eat_replies().await;
        let mut policy = Policy::default();
        policy.attempt_timeout = Duration::from_millis(300);
        let mut operation = charge(proxy.url(), 4200);
        let kept = serde_json::to_string(&operation).unwrap();
        unknown(client_with(policy).run(&mut operation, patient()).await);
        until(|| async { app.n_charges_of(4200).await == 1 }).await;
        proxy.pass().await;
        // The process died, and its successor has what was kept.
        drop(operation);
        let mut operation: Operation = serde_json::from_str(&kept).unwrap();
        let answer = done(client().resolve(&mut operation, patient()).await);
        assert!(answer.is_replayed());
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}

#[test]
fn a_declined_card_is_refused_for_good_even_after_a_lost_answer() {
    run(async {
        let app = App::start().await;
        let proxy = Proxy::start(&app.url).await.unwrap();
        let fired = proxy.cut_after("POST /charge", "HTTP/1.1 402");
        let body = r#"{"amount": 7, "currency": "USD", "source": "tok_declined"}"#;
        let draft = Operation::post(format!("{}/charge", proxy.url()));
        let mut operation = draft.body("application/json", body).unwrap();
        let outcome = client().run(&mut operation, patient()).await.unwrap();
        fired.wait().await.unwrap();
        let Outcome::Rejected(answer) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(answer.status.as_u16(), 402);
        assert!(answer.is_replayed() && !operation.may_be_done());
        assert_eq!(app.n_charges().await, 0);
    });
}
