//! The first one fails, or nobody can say: those who wait get a verdict of their own.

use std::time::Duration;

use oncely::failpoint::Action;

use super::world::{charge, first, has_asked_again, second, seeing};
use crate::harness::{App, Recipe, run};

#[test]
fn where_the_first_one_fails_one_of_those_who_wait_executes() {
    run(async {
        for (variant, recipe) in seeing() {
            for failure in [Action::Error, Action::Panic] {
                let what = format!("{variant:?}, {failure:?}");
                let app = App::made(recipe_of(&recipe)).await;
                let (held, first) = first(&app).await;
                let one = second(&app, "wait=10").await;
                let other = second(&app, "wait=10").await;
                app.points.arm("store.transactional.before_commit", failure);
                held.release();
                assert_eq!(first.reply().await.status, 503, "{what}");
                let (one, other) = (one.reply().await, other.reply().await);
                let mut statuses = [one.idempotency_status(), other.idempotency_status()];
                statuses.sort_unstable();
                assert_eq!(statuses, ["created", "replayed"], "{what}");
                assert_eq!(one.body, other.body, "{what}");
                assert_eq!(one.header("preference-applied"), "wait=10", "{what}");
                let books = (app.n_charges().await, app.n_records().await);
                assert_eq!(books, (1, 1), "{what}");
            }
        }
    });
}

fn recipe_of(recipe: &Recipe) -> Recipe {
    let again = Recipe::default().redis(recipe.redis.clone());
    again.claim(recipe.config.ledger.claim)
}

#[test]
fn where_the_first_ones_commit_is_not_answered_those_who_wait_get_what_was_committed() {
    run(async {
        for (variant, recipe) in seeing() {
            let app = App::made(recipe).await;
            let (held, first) = first(&app).await;
            let second = second(&app, "wait=10").await;
            let point = "store.transactional.after_commit";
            app.points.arm(point, Action::Error);
            held.release();
            let first = first.reply().await;
            let second = second.reply().await;
            assert_eq!((second.status, &second.body), (201, &first.body));
            assert_eq!(second.idempotency_status(), "replayed", "{variant:?}");
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}

/// The first one holds the only connection. Whoever waits asks for it now and then, in vain, and holds
/// none while it waits.
#[test]
fn on_one_connection_a_wait_is_no_deadlock_and_a_question_in_vain_does_not_end_it() {
    run(async {
        let app = App::made(Recipe::with_redis().with(|config| {
            config.ledger.pool_size = 1;
            config.ledger.acquire_timeout = Duration::from_millis(50);
        }))
        .await;
        let (held, first) = first(&app).await;
        let one = second(&app, "wait=20").await;
        let other = second(&app, "wait=20").await;
        // After `hot.trust_window` the ledger is asked, and there is no connection to ask it by.
        for _ in 0..12 {
            has_asked_again(&app).await;
        }
        assert!(!one.is_finished() && !other.is_finished());
        assert_eq!(app.n_open_transactions().await, 1);
        held.release();
        let first = first.reply().await;
        for waited in [one.reply().await, other.reply().await] {
            assert_eq!((waited.status, &waited.body), (201, &first.body));
        }
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn on_one_connection_and_without_redis_a_duplicate_queues_for_it_and_replays() {
    run(async {
        let recipe = Recipe::default().redis(crate::harness::RedisChoice::Absent);
        let app = App::made(recipe.with(|it| it.ledger.pool_size = 1)).await;
        let (held, first) = first(&app).await;
        let second = charge(&app.caller(), "wait=10");
        held.release();
        let first = first.reply().await;
        assert_eq!(second.reply().await.body, first.body);
        assert_eq!(app.n_charges().await, 1);
    });
}
