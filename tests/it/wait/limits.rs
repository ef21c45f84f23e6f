//! A wait is bounded: in time, in number, by the settings, by its client, by the process.

use std::time::Duration;

use tokio::time::Instant;

use super::world::{charge, first, second, seeing};
use crate::harness::{App, Recipe, Reply, run, until};

fn is_turned_away(reply: &Reply, applied: &str) {
    assert_eq!((reply.status, &*reply.code()), (409, "in-flight"));
    assert_eq!(reply.idempotency_status(), "in-flight");
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.header("preference-applied"), applied);
}

#[test]
fn who_has_waited_in_vain_is_409_as_ever() {
    run(async {
        for (variant, recipe) in seeing() {
            let app = App::made(recipe).await;
            let (held, first) = first(&app).await;
            let begun = Instant::now();
            is_turned_away(&charge(&app.caller(), "wait=1").reply().await, "wait=1");
            assert!(Duration::from_secs(1) <= begun.elapsed(), "{variant:?}");
            held.release();
            assert_eq!(first.reply().await.status, 201, "{variant:?}");
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}

#[test]
fn a_longer_wait_than_the_settings_allow_is_cut_down_to_that() {
    run(async {
        let recipe =
            Recipe::default().with(|it| it.idempotency.max_wait = Duration::from_millis(300));
        let app = App::made(recipe).await;
        let (held, first) = first(&app).await;
        is_turned_away(&charge(&app.caller(), "wait=600").reply().await, "wait=1");
        held.release();
        assert_eq!(first.reply().await.status, 201);
    });
}

#[test]
fn without_a_preference_with_a_broken_one_and_where_it_is_switched_off_nobody_waits() {
    run(async {
        let app = App::start().await;
        let (held, request) = first(&app).await;
        for prefer in ["", "wait=0", "wait=ten", "wait", "respond-async"] {
            is_turned_away(&charge(&app.caller(), prefer).reply().await, "");
        }
        held.release();
        assert_eq!(request.reply().await.status, 201);

        for off in [
            Recipe::default().with(|it| it.idempotency.max_wait = Duration::ZERO),
            Recipe::default().with(|it| it.idempotency.max_waiters = 0),
        ] {
            let app = App::made(off).await;
            let (held, request) = first(&app).await;
            is_turned_away(&charge(&app.caller(), "wait=10").reply().await, "");
            held.release();
            assert_eq!(request.reply().await.status, 201);
        }
    });
}

#[test]
fn where_as_many_wait_as_may_the_next_one_is_409_at_once_until_a_place_is_free() {
    run(async {
        let app = App::made(Recipe::default().with(|it| it.idempotency.max_waiters = 2)).await;
        let (held, first) = first(&app).await;
        let one = second(&app, "wait=100").await;
        let other = second(&app, "wait=100").await;
        is_turned_away(&charge(&app.caller(), "wait=100").reply().await, "");
        one.hang_up();
        // Its place is free as soon as the server has noticed.
        until(async || {
            let reply = charge(&app.caller(), "wait=1").reply().await;
            !reply.header("preference-applied").is_empty()
        })
        .await;
        held.release();
        assert_eq!(first.reply().await.idempotency_status(), "created");
        assert_eq!(other.reply().await.idempotency_status(), "replayed");
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn a_process_that_stops_turns_those_away_who_wait() {
    run(async {
        let app = App::start().await;
        let (held, first) = first(&app).await;
        let second = second(&app, "wait=100").await;
        app.store.stop_waiting();
        is_turned_away(&second.reply().await, "wait=10");
        is_turned_away(&charge(&app.caller(), "wait=100").reply().await, "");
        held.release();
        assert_eq!(first.reply().await.status, 201, "work goes on to its end");
    });
}
