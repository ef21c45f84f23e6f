//! A second request with the same key.

use crate::harness::{App, VARIANTS, run};

#[test]
fn a_second_request_replays_the_first_answer_byte_for_byte() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            let caller = app.caller();
            let first = caller.charge("k-1", 4200).await;
            let second = caller.charge("k-1", 4200).await;
            assert_eq!(first.status, 201, "{variant:?}: {first:?}");
            assert_eq!(first.idempotency_status(), "created", "{variant:?}");
            assert_eq!(second.idempotency_status(), "replayed", "{variant:?}");
            assert_eq!(second.header("idempotent-replayed"), "true", "{variant:?}");
            assert_eq!(second.essence(), first.essence(), "{variant:?}");
            assert_eq!(
                (app.n_charges().await, app.n_records().await),
                (1, 1),
                "{variant:?}"
            );
        }
    });
}

#[test]
fn another_body_under_the_same_key_is_a_mismatch_and_charges_nothing() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            let caller = app.caller();
            assert_eq!(caller.charge("k-1", 4200).await.status, 201);
            let other = caller.charge("k-1", 9900).await;
            assert_eq!(
                (other.status, other.code().as_str()),
                (422, "key-reused"),
                "{variant:?}"
            );
            assert_eq!(other.idempotency_status(), "mismatch", "{variant:?}");
            let again = caller.charge("k-1", 4200).await;
            assert_eq!(again.idempotency_status(), "replayed", "{variant:?}");
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}
