//! More clients than connections.

use std::time::Duration;

use futures_util::future::join_all;

use crate::harness::{App, Recipe, run, storm, until};

const N_CLIENTS: i64 = 100;

fn recipe(acquire_timeout: Duration) -> Recipe {
    Recipe::default().with(|config| {
        config.ledger.pool_size = 1;
        config.ledger.acquire_timeout = acquire_timeout;
    })
}

#[test]
fn a_hundred_clients_on_one_connection_end_without_a_deadlock_and_retries_succeed() {
    run(async {
        let app = App::made(recipe(Duration::from_millis(250))).await;
        let caller = app.caller();
        let charges = (1..=N_CLIENTS).map(|amount| {
            let caller = caller.clone();
            async move { caller.charge(&format!("k-{amount}"), amount).await }
        });
        let replies = join_all(charges).await;
        for reply in &replies {
            let is_known = reply.status == 201 || reply.code() == "store-unavailable";
            assert!(is_known, "{reply:?}");
        }
        assert!(replies.iter().any(|it| it.status == 201));
        for amount in 1..=N_CLIENTS {
            let key = format!("k-{amount}");
            until(|| async { caller.charge(&key, amount).await.status == 201 }).await;
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
        assert_eq!(app.n_records().await, N_CLIENTS);
        assert_eq!(app.n_open_transactions().await, 0);
    });
}

#[test]
fn a_storm_on_one_connection_charges_once() {
    run(async {
        let app = App::made(recipe(Duration::from_secs(2))).await;
        for amount in 1..=3 {
            let tally = storm(&app.caller(), &format!("k-{amount}"), amount).await;
            assert_eq!(tally.created, 1, "{tally:?}");
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
        assert_eq!(app.n_records().await, 3);
    });
}
