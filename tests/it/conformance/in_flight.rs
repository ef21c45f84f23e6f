//! A second request while the first is being worked on.

use crate::harness::{App, VARIANTS, run};

/// Without Redis nobody can see what the first one asked for, and with a stubbed lock nobody can
/// see the first one at all: those variants are left out where that matters.
#[test]
fn another_body_while_the_first_is_in_flight_charges_nothing_and_is_no_error_of_ours() {
    run(async {
        for variant in VARIANTS {
            let mut recipe = variant.recipe();
            // A latch is a hint at once, so that the ledger is asked in every variant.
            recipe.config.hot.trust_window = std::time::Duration::ZERO;
            if recipe.stub_lock {
                continue;
            }
            let app = App::made(recipe).await;
            let mut held = app.points.hold("store.transactional.after_work");
            let caller = app.caller();
            let first = app
                .store
                .tasks()
                .spawn(async move { caller.charge("k-1", 4200).await });
            assert!(held.arrived().await);
            let other = app.caller().charge("k-1", 9900).await;
            let expected = if variant.has_redis() {
                (422, "key-reused")
            } else {
                (409, "in-flight")
            };
            assert_eq!((other.status, &*other.code()), expected, "{variant:?}");
            let same = app.caller().charge("k-1", 4200).await;
            assert_eq!(
                (same.status, &*same.code()),
                (409, "in-flight"),
                "{variant:?}"
            );
            held.release();
            assert_eq!(first.await.unwrap().status, 201, "{variant:?}");
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}
