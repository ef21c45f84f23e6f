//! The first one ends, and its duplicates have its answer.

use futures_util::future::join_all;
use oncely::failpoint::Action;

use super::world::{charge, first, is_replay, second, seeing, send};
use crate::harness::{App, Recipe, Reply, VARIANTS, charge_body, run};

#[test]
fn a_duplicate_that_waits_gets_the_first_answer_byte_for_byte() {
    run(async {
        for (variant, recipe) in seeing() {
            let what = format!("{variant:?}");
            let app = App::made(recipe).await;
            let (held, first) = first(&app).await;
            let second = second(&app, "wait=10").await;
            assert!(!second.is_finished(), "{what}");
            held.release();
            let (first, second) = (first.reply().await, second.reply().await);
            assert_eq!(first.idempotency_status(), "created", "{what}");
            assert_eq!(first.header("preference-applied"), "", "{what}");
            is_replay(&second, &first, &what);
            assert_eq!(second.header("preference-applied"), "wait=10", "{what}");
            assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
            assert_eq!(app.n_open_transactions().await, 0, "{what}");
        }
    });
}

/// The second one's look is held while the first one ends, so that only being told can end its wait.
#[test]
fn an_end_in_this_process_is_told_to_those_who_wait() {
    run(async {
        for (variant, recipe) in seeing() {
            let app = App::made(recipe).await;
            let (held, first) = first(&app).await;
            let mut look = app.points.hold("store.wait.look");
            let second = second(&app, "wait=10").await;
            assert!(look.arrived().await);
            held.release();
            let first = first.reply().await;
            is_replay(&second.reply().await, &first, &format!("{variant:?}"));
            look.release();
        }
    });
}

#[test]
fn a_failure_in_this_process_is_told_too() {
    run(async {
        for (variant, recipe) in seeing() {
            let app = App::made(recipe).await;
            let (held, first) = first(&app).await;
            let mut look = app.points.hold("store.wait.look");
            let second = second(&app, "wait=10").await;
            assert!(look.arrived().await);
            app.points
                .arm("store.transactional.before_commit", Action::Error);
            held.release();
            assert_eq!(first.reply().await.status, 503, "{variant:?}");
            let second = second.reply().await;
            assert_eq!(second.idempotency_status(), "created", "{variant:?}");
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
            look.release();
        }
    });
}

#[test]
fn a_refusal_is_repeated_to_those_who_wait_too() {
    run(async {
        let app = App::start().await;
        let declined = charge_body(1).replace("tok_visa", "tok_declined");
        let mut held = app.points.hold("store.transactional.before_commit");
        let first = send(&app.caller(), "/charge", "", &declined);
        assert!(held.arrived().await);
        let mut begun = app.points.hold("store.wait.begun");
        let second = send(&app.caller(), "/charge", "wait=10", &declined);
        assert!(begun.arrived().await);
        begun.release();
        held.release();
        let first = first.reply().await;
        assert_eq!((first.status, &*first.code()), (402, "card-declined"));
        is_replay(&second.reply().await, &first, "declined");
    });
}

#[test]
fn of_64_who_wait_one_executes_and_nobody_is_turned_away() {
    run(async {
        for variant in VARIANTS {
            let recipe = variant
                .recipe()
                .with(|it| it.ledger.acquire_timeout = std::time::Duration::from_secs(9));
            let app = App::made(recipe).await;
            let caller = app.caller();
            let all = (0..64).map(|_| charge(&caller, "wait=60").reply());
            let replies = join_all(all).await;
            let n = |status: &str| {
                let of = |it: &&Reply| it.idempotency_status() == status;
                replies.iter().filter(of).count()
            };
            let tally = (n("created"), n("replayed"));
            assert_eq!(tally, (1, 63), "{variant:?}: {replies:?}");
            let created = replies
                .iter()
                .find(|it| it.idempotency_status() == "created");
            let body = &created.unwrap().body;
            assert!(replies.iter().all(|it| it.body == *body), "{variant:?}");
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}

#[test]
fn another_request_under_the_key_does_not_wait_where_the_first_can_be_seen() {
    run(async {
        for (variant, recipe) in seeing() {
            let app = App::made(recipe).await;
            let (held, first) = first(&app).await;
            let other = send(&app.caller(), "/charge", "wait=10", &charge_body(2));
            let reply = if variant.has_redis() {
                let reply = other.reply().await;
                assert_eq!(reply.header("preference-applied"), "", "{variant:?}");
                held.release();
                reply
            } else {
                // What the first one asked for is visible to nobody yet.
                held.release();
                other.reply().await
            };
            assert_eq!((reply.status, &*reply.code()), (422, "key-reused"));
            assert_eq!(first.reply().await.status, 201, "{variant:?}");
            assert_eq!(app.n_charges().await, 1, "{variant:?}");
        }
    });
}

#[test]
fn a_replay_and_a_first_request_do_not_wait_and_do_not_say_so() {
    run(async {
        let app = App::made(Recipe::default()).await;
        for expected in ["created", "replayed"] {
            let reply = charge(&app.caller(), "wait=10").reply().await;
            assert_eq!(reply.idempotency_status(), expected);
            assert_eq!(reply.header("preference-applied"), "");
        }
    });
}
