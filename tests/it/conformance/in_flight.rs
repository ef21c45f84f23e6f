//! A second request while the first is being worked on.

use std::time::Duration;

use crate::harness::{App, Recipe, VARIANTS, run};

/// A latch that is a hint at once, so that the ledger is asked too, and one that is believed.
const TRUST_WINDOWS: [Duration; 2] = [Duration::ZERO, Duration::from_mins(1)];

/// With a stubbed lock nobody can see the first one: those variants are left out. Without Redis nobody
/// can see what it asked for: there the answer is another.
#[test]
fn another_body_while_the_first_is_in_flight_charges_nothing_and_is_no_error_of_ours() {
    run(async {
        for variant in VARIANTS {
            for trust_window in TRUST_WINDOWS {
                let recipe = variant
                    .recipe()
                    .with(|it| it.hot.trust_window = trust_window);
                if recipe.stub_lock {
                    continue;
                }
                let what = format!("{variant:?}, {trust_window:?}");
                another_body(recipe, variant.has_redis(), &what).await;
            }
        }
    });
}

async fn another_body(recipe: Recipe, has_redis: bool, what: &str) {
    let app = App::made(recipe).await;
    let mut held = app.points.hold("store.transactional.after_work");
    let caller = app.caller();
    let first = app
        .store
        .tasks()
        .spawn(async move { caller.charge("k-1", 4200).await });
    assert!(held.arrived().await);
    let caller = app.caller();
    let expected = if has_redis {
        (422, "key-reused")
    } else {
        (409, "in-flight")
    };
    // More than once, because the first of them might have changed what the next one finds.
    for _ in 0..3 {
        let other = caller.charge("k-1", 9900).await;
        assert_eq!((other.status, &*other.code()), expected, "{what}");
    }
    let same = caller.charge("k-1", 4200).await;
    assert_eq!((same.status, &*same.code()), (409, "in-flight"), "{what}");
    held.release();
    assert_eq!(first.await.unwrap().status, 201, "{what}");
    let other = caller.charge("k-1", 9900).await;
    assert_eq!(
        (other.status, &*other.code()),
        (422, "key-reused"),
        "{what}"
    );
    let books = (app.n_charges().await, app.n_records().await);
    assert_eq!(books, (1, 1), "{what}");
}
