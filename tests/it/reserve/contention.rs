//! Everybody wants the same item.

use futures_util::future::join_all;
use oncely::shutdown::Tasks;

use super::world::reserve;
use crate::harness::{App, Recipe, Reply, VARIANTS, run, until};

#[test]
fn of_64_who_want_the_last_10_exactly_10_get_one_and_their_retries_change_nothing() {
    run(async {
        for variant in VARIANTS {
            let what = format!("{variant:?}");
            let recipe = variant
                .recipe()
                .with(|it| it.ledger.acquire_timeout = std::time::Duration::from_secs(9));
            let app = App::made(recipe).await;
            app.stock(10).await;
            let caller = app.caller();
            let keys: Vec<String> = (1..=64).map(|it| format!("k-{it}")).collect();
            let firsts = join_all(keys.iter().map(|key| reserve(&caller, key, 1))).await;
            let n = |status: u16, code: &str| {
                let is = |it: &&Reply| it.status == status && it.code() == code;
                firsts.iter().filter(is).count()
            };
            let tally = (n(201, ""), n(409, "out-of-stock"));
            assert_eq!(tally, (10, 54), "{what}: {firsts:?}");
            app.has_stock(0, 10, &what).await;
            let retries = join_all(keys.iter().map(|key| reserve(&caller, key, 1))).await;
            for (first, retry) in firsts.iter().zip(&retries) {
                assert_eq!(retry.idempotency_status(), "replayed", "{what}");
                assert_eq!(retry.essence(), first.essence(), "{what}");
            }
            app.has_stock(0, 10, &what).await;
            let books = (app.n_reservations().await, app.n_records().await);
            assert_eq!(books, (10, 64), "{what}");
        }
    });
}

#[test]
fn nobody_takes_more_than_there_is_whatever_the_quantities() {
    run(async {
        let app = App::start().await;
        app.stock(50).await;
        let caller = app.caller();
        let all = (1..=32).map(|it| {
            let (caller, quantity) = (caller.clone(), 1 + it % 7);
            async move {
                let reply = reserve(&caller, &format!("k-{it}"), quantity).await;
                (reply.status, quantity)
            }
        });
        let replies = join_all(all).await;
        let taken: i64 = replies.iter().filter(|it| it.0 == 201).map(|it| it.1).sum();
        assert!(44 < taken, "there was enough for more: {replies:?}");
        app.has_stock(50 - taken, taken, "by quantity").await;
    });
}

/// It saw the last piece by a plain read; the guard of the UPDATE is what decides.
#[test]
fn who_waits_behind_the_one_who_takes_the_last_piece_is_refused_and_leaves_nothing() {
    run(async {
        let app = App::made(Recipe::default()).await;
        app.stock(1).await;
        let mut held = app.points.hold("store.transactional.after_work");
        let caller = app.caller();
        let mine = caller.clone();
        let first = Tasks::default().spawn(async move { reserve(&mine, "k-1", 1).await });
        assert!(held.arrived().await);
        let second = Tasks::default().spawn(async move { reserve(&caller, "k-2", 1).await });
        let n_waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                         AND wait_event_type = 'Lock'";
        until(async || app.count(n_waiting).await == 1).await;
        held.release();
        assert_eq!(first.await.unwrap().status, 201);
        let second = second.await.unwrap();
        assert_eq!((second.status, &*second.code()), (409, "out-of-stock"));
        assert_eq!(second.idempotency_status(), "created");
        app.has_stock(0, 1, "the last piece").await;
        assert_eq!(app.n_reservations().await, 1);
    });
}
