//! Latches of processes that are gone, that are there, and that are mistaken.

use std::time::Duration;

use oncely::domain::{
    Algorithm, Claim, Epoch, Fingerprint, Fingerprinter, Key, Operation, Subject, Tenant,
};
use oncely::hot::{Envelope, Latch};

use super::world::{Pending, identity, record_key};
use crate::harness::{App, Recipe, Variant, charge_body, run, shared_redis, until};

/// The fingerprint of a charge, as the app under test takes it.
fn fingerprint(key: &str, amount: i64) -> Fingerprint {
    let key = Key::from_header([key.as_bytes()]).unwrap();
    let scope = (
        Tenant::new("demo").unwrap(),
        Operation::new("POST /charge").unwrap(),
        &key,
    );
    let subject = Subject {
        method: "POST".to_owned(),
        path: "/charge".to_owned(),
        content_type: "application/json".to_owned(),
        body: charge_body(amount).into(),
        ..Subject::default()
    };
    let secret = Recipe::default().config.idempotency.fingerprint_secret;
    let fingerprinter = Fingerprinter::new(secret.expose().as_bytes(), &[]);
    let claim = Claim::new(
        scope,
        Algorithm::CanonicalJson,
        subject,
        fingerprinter.into(),
    );
    claim.unwrap().fingerprint
}

/// Puts a latch of nobody's there: begun `age` ago, for a charge of `amount`.
async fn plant(app: &App, key: &str, amount: i64, age: time::Duration) {
    let latch = Envelope {
        epoch: Epoch {
            number: 1,
            timeline: 1,
        },
        fingerprint: fingerprint(key, amount),
        content: Latch {
            token: [7; 16],
            started_at: oncely::clock::now() - age,
            attempt: 1,
        },
    };
    let mut redis = shared_redis().await;
    let mut set = redis::cmd("SET");
    set.arg(record_key(app, key))
        .arg(latch.encode(&identity(key)));
    set.arg("PX")
        .arg(15_000)
        .exec_async(&mut redis)
        .await
        .unwrap();
}

#[test]
fn an_aged_latch_of_a_dead_process_stops_nobody() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        // The last one is of a clock that runs ahead.
        for (amount, age) in (1..).zip([300, 14_000, -60_000]) {
            let key = format!("k-{amount}");
            plant(&app, &key, amount, time::Duration::milliseconds(age)).await;
            let reply = app.caller().charge(&key, amount).await;
            assert_eq!(reply.idempotency_status(), "created", "{age} ms");
            let again = app.caller().charge(&key, amount).await;
            assert_eq!(again.essence(), reply.essence());
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
    });
}

#[test]
fn a_fresh_latch_is_in_flight_for_no_longer_than_it_is_trusted() {
    run(async {
        let long = Duration::from_mins(1);
        let app = App::made(Recipe::with_redis().with(|it| it.hot.trust_window = long)).await;
        plant(&app, "k-1", 1, time::Duration::ZERO).await;
        let reply = app.caller().charge("k-1", 1).await;
        assert_eq!((reply.status, reply.code().as_str()), (409, "in-flight"));
        assert_eq!(reply.header("retry-after"), "1");
        assert_eq!(app.n_charges().await, 0);

        let app = App::made(Recipe::with_redis()).await;
        let caller = app.caller();
        plant(&app, "k-1", 1, time::Duration::ZERO).await;
        until(|| async { caller.charge("k-1", 1).await.status == 201 }).await;
        let again = caller.charge("k-1", 1).await;
        assert_eq!(again.idempotency_status(), "replayed");
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}

#[test]
fn a_mistaken_latch_does_not_make_a_mismatch_of_the_request_that_the_ledger_knows() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        let caller = app.caller();
        let first = caller.charge("k-1", 4200).await;
        plant(&app, "k-1", 9900, time::Duration::ZERO).await;
        let again = caller.charge("k-1", 4200).await;
        assert_eq!(again.idempotency_status(), "replayed");
        assert_eq!(again.essence(), first.essence());
        // And the mistaken one is told so, although its own latch is there.
        plant(&app, "k-1", 9900, time::Duration::ZERO).await;
        until(|| async { caller.charge("k-1", 9900).await.code() == "key-reused" }).await;
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}

#[test]
fn without_a_lock_two_bodies_under_one_key_may_race_and_one_of_them_counts() {
    run(async {
        for variant in [Variant::LockStubbed, Variant::LockStubbedWithRedis] {
            let app = App::made(variant.recipe()).await;
            let caller = app.caller();
            let mut held = app.points.hold("store.transactional.after_work");
            let first = Pending::charge(&caller, "k-1", 4200);
            assert!(held.arrived().await);
            let other = caller.charge("k-1", 9900).await;
            held.release();
            let first = first.reply().await;
            let statuses = (first.status, other.status);
            assert!(
                matches!(statuses, (422, 201) | (201, 422 | 409)),
                "{variant:?}: {statuses:?}"
            );
            assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
        }
    });
}
