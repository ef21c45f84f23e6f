//! The sweeper and `oncely prune`: bounded batches beside requests, and never what is unfinished.

use super::world::oncely;
use crate::harness::{App, Recipe, run};

const N_EXPIRED: i64 = 100_000;

const EXPIRED: &str = "
INSERT INTO oncely.records (tenant, id, operation, fingerprint, created_at, expires_at, state,
    completed_at, response_status)
SELECT 'demo', uuid_send(gen_random_uuid()), 'POST /charge', decode(repeat('00', 37), 'hex'),
    now() - interval '4 days', now() - interval '1 day', 'completed', now(), 201
FROM generate_series(1, 100000)";

/// One that an operator has given an end by hand, which the table forbids, and one as it should be.
const UNFINISHED: &str = "
ALTER TABLE oncely.records DROP CONSTRAINT records_state;
INSERT INTO oncely.records (tenant, id, operation, fingerprint, created_at, expires_at, state, attempt,
    phase, carried, lease_expires_at)
SELECT 'demo', uuid_send(gen_random_uuid()), 'POST /payments', decode(repeat('00', 37), 'hex'),
    now() - interval '4 days', ends, 'leased', 1, 'charge', '{}', now() - interval '1 day'
FROM unnest(ARRAY[now() - interval '1 day', '9999-12-31 00:00:00+00']) AS ends";

const N_UNFINISHED: &str = "SELECT count(*) FROM oncely.records WHERE state = 'leased'";

#[test]
fn a_hundred_thousand_expired_records_go_in_batches_while_two_sweep_and_requests_run() {
    run(async {
        let app = App::start().await;
        app.execute(EXPIRED).await;
        app.execute(UNFINISHED).await;
        let dry = ["prune", "--dry-run", "--output", "json"];
        let dry = oncely(&app.database_url, &dry).await.json();
        assert_eq!(
            (&dry["expired"], &dry["deleted"]),
            (&N_EXPIRED.into(), &0.into())
        );
        assert_eq!(app.n_records().await, N_EXPIRED + 2);

        let prune = ["prune", "--pause", "0s", "--output", "json"];
        let caller = app.caller();
        let requests = async {
            for amount in 1..=50 {
                let key = format!("k-{amount}");
                assert_eq!(caller.charge(&key, amount).await.status, 201);
                let again = caller.charge(&key, amount).await;
                assert_eq!(again.idempotency_status(), "replayed");
            }
        };
        let (one, other, ()) = tokio::join!(
            oncely(&app.database_url, &prune),
            oncely(&app.database_url, &prune),
            requests
        );
        let (one, other) = (one.json(), other.json());
        let sum = |name: &str| one[name].as_i64().unwrap() + other[name].as_i64().unwrap();
        assert_eq!(sum("deleted"), N_EXPIRED, "{one} {other}");
        assert!(N_EXPIRED / 5_000 <= sum("batches"), "{one} {other}");
        assert_eq!(app.count(N_UNFINISHED).await, 2, "what is unfinished stays");
        assert_eq!(app.n_records().await, 52);
        assert_eq!(app.n_charges().await, 50);
        let nothing = oncely(&app.database_url, &["prune"]).await;
        assert_eq!(nothing.out, "0 records deleted in 0 transactions\n");
    });
}

#[test]
fn no_batch_is_larger_than_its_bound_and_a_limit_ends_it() {
    run(async {
        let recipe = Recipe::default().with(|config| config.ledger.prune_batch = 5_000);
        let app = App::made(recipe).await;
        app.execute(EXPIRED).await;
        assert_eq!(app.store.ledger().prune().await.unwrap(), (5_000, true));
        let some = [
            "prune", "--batch", "700", "--limit", "2000", "--output", "json",
        ];
        let some = oncely(&app.database_url, &some).await.json();
        assert_eq!(
            (&some["deleted"], &some["batches"]),
            (&2_100.into(), &3.into())
        );
        let too_many = oncely(&app.database_url, &["prune", "--batch", "5001"]).await;
        assert_eq!(too_many.code, 2, "{too_many:?}");
    });
}
