//! What each connection to the ledger is made to obey, so that nobody's lock outlives him.

use std::time::Duration;

use oncely::config::{Claim, Config};

use super::world::Pending;
use crate::harness::{App, Recipe, run, until};

#[test]
fn every_session_has_its_timeouts_and_its_isolation() {
    run(async {
        let app = App::start().await;
        let mut tx = app.store.ledger().begin().await.unwrap();
        let settings = Config::default().ledger;
        let in_ms = |it: Duration| i64::try_from(it.as_millis()).unwrap();
        for (name, expected) in [
            ("statement_timeout", settings.statement_timeout),
            (
                "idle_in_transaction_session_timeout",
                settings.idle_in_transaction_timeout,
            ),
            (
                "client_connection_check_interval",
                settings.client_connection_check_interval,
            ),
            ("tcp_user_timeout", settings.tcp_user_timeout),
        ] {
            let set: i64 =
                sqlx::query_scalar("SELECT setting::bigint FROM pg_settings WHERE name = $1")
                    .bind(name)
                    .fetch_one(&mut *tx)
                    .await
                    .unwrap();
            assert_eq!(set, in_ms(expected), "{name}");
        }
        let isolation: String = sqlx::query_scalar("SHOW transaction_isolation")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(isolation, "read committed");
        let jit: String = sqlx::query_scalar("SHOW jit")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(jit, "off", "short statements are not compiled");
    });
}

#[test]
fn a_role_that_defaults_to_another_isolation_changes_nothing() {
    run(async {
        for isolation in ["repeatable read", "serializable"] {
            let app = App::start().await;
            let name = app.database().unwrap().name();
            app.execute(&format!(
                "ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}';
                 ALTER DATABASE {name} SET default_transaction_read_only = on"
            ))
            .await;
            let fresh = App::made(Recipe::default().beside(&app)).await;
            let mut tx = fresh.store.ledger().begin().await.unwrap();
            let shown: String = sqlx::query_scalar("SHOW transaction_isolation")
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert_eq!(shown, "read committed");
            let reply = fresh.caller().charge(isolation, 1).await;
            assert_eq!(reply.status, 201, "{reply:?}");
            assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
        }
    });
}

#[test]
fn a_transaction_that_sits_idle_is_ended_its_lock_is_freed_and_it_never_commits() {
    run(async {
        for claim in [Claim::Advisory, Claim::InsertWait] {
            let recipe = Recipe::default().claim(claim).with(|config| {
                // A request has to arrive in between, on a machine that may be busy.
                config.ledger.idle_in_transaction_timeout = Duration::from_millis(2500);
            });
            let app = App::made(recipe).await;
            let caller = app.caller();
            let mut held = app.points.hold("store.transactional.after_work");
            let zombie = Pending::charge(&caller, "k-1", 1);
            assert!(held.arrived().await);
            assert_eq!(caller.charge("k-1", 1).await.status, 409, "{claim:?}");
            until(|| async { caller.charge("k-1", 1).await.status == 201 }).await;

            held.release();
            let zombie = zombie.reply().await;
            assert_eq!(zombie.code(), "store-unavailable", "{claim:?}: {zombie:?}");
            let again = caller.charge("k-1", 1).await;
            assert_eq!(again.idempotency_status(), "replayed", "{claim:?}");
            assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
        }
    });
}
