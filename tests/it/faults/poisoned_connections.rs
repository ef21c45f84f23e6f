//! Pooled connections that somebody left inside a transaction: sqlx issue 4385.
//!
//! Cancelling `pool.begin()` at the wrong await gives the connection back inside an open
//! transaction, and the next borrower's bare write is acknowledged and lost.

use std::future::{Future, poll_fn};
use std::task::Poll;

use crate::harness::{App, Recipe, run};

#[test]
fn no_write_is_lost_on_a_connection_that_a_cancelled_begin_left_in_a_transaction() {
    run(async {
        let recipe = Recipe::default().with(|config| config.ledger.pool_size = 2);
        let app = App::made(recipe).await;
        app.execute("CREATE TABLE public.notes (n bigint PRIMARY KEY)")
            .await;
        let pool = app.store.ledger().pool().clone();
        let caller = app.caller();
        let (mut n_poisoned, mut n_acknowledged) = (0, 0);
        for round in 1..=4000_i64 {
            // Cancelled at its first await, at its second, and so on: one of them is BEGIN's.
            let mut beginning = Box::pin(pool.begin());
            let mut n_awaits_left = 1 + round % 4;
            let ended = poll_fn(|context| {
                n_awaits_left -= 1;
                match beginning.as_mut().poll(context) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending if n_awaits_left == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            let ended = ended.await;
            drop(beginning);
            if let Some(tx) = ended {
                tx.unwrap().rollback().await.unwrap();
            }
            if app.n_open_transactions().await == 0 {
                continue;
            }
            n_poisoned += 1;
            let write = sqlx::query("INSERT INTO public.notes VALUES ($1)").bind(round);
            n_acknowledged += write.execute(&pool).await.unwrap().rows_affected();
            let reply = caller.charge(&format!("k-{round}"), round).await;
            assert_eq!(reply.idempotency_status(), "created");
            if n_poisoned == 10 {
                break;
            }
        }
        assert!(3 <= n_poisoned, "the fault was hardly met: {n_poisoned}");
        // Whatever a lost transaction still holds is rolled back with its connection.
        pool.close().await;
        let n_notes = app.count("SELECT count(*) FROM public.notes").await;
        assert_eq!(u64::try_from(n_notes).unwrap(), n_acknowledged);
        assert_eq!(app.n_charges().await, n_poisoned);
        assert_eq!(app.n_records().await, n_poisoned);
    });
}
