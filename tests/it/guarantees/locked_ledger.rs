//! A migration that locks the ledger, and one that can't get its lock.

use std::time::Duration;

use oncely::config::Claim;
use oncely::ledger;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{after_in_flight, say, session, somebody_waits_for_a_lock, unhurried};
use crate::harness::{App, run, until};

/// Migrations wait for 5 s; a loaded machine needs a while to say so.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn while_the_ledger_is_locked_nothing_runs_and_the_retry_does() {
    run(async {
        for claim in [Claim::Advisory, Claim::InsertWait] {
            let recipe = unhurried().claim(claim).with(|config| {
                config.ledger.statement_timeout = Duration::from_millis(300);
            });
            let app = App::made(recipe).await;
            let mut migration = session(&app.database_url).await;
            say(
                &mut migration,
                "BEGIN; LOCK TABLE oncely.records IN ACCESS EXCLUSIVE MODE",
            )
            .await;
            let refused = app.caller().charge("k-1", 1).await;
            let expected = match claim {
                Claim::Advisory => "store-unavailable",
                // Its bound on waiting for another claim is met first.
                Claim::InsertWait => "in-flight",
            };
            assert_eq!(refused.code(), expected, "{claim:?}: {refused:?}");
            assert!(!refused.header("retry-after").is_empty());
            say(&mut migration, "ROLLBACK").await;
            assert!(app.is_untouched().await, "{claim:?}");

            let retry = app.caller().charge("k-1", 1).await;
            assert_eq!((retry.status, retry.idempotency_status()), (201, "created"));
            assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
        }
    });
}

#[test]
fn a_migration_that_cannot_get_its_lock_gives_up_and_requests_go_on_meanwhile() {
    run(async {
        let app = App::start().await;
        let caller = app.caller();
        // As if the epoch's migration were new; and somebody is making its table, and sleeps.
        app.execute(
            "DROP TABLE oncely.epoch;
             DELETE FROM oncely.migrations WHERE version = 20261121000002",
        )
        .await;
        let mut sleeper = session(&app.database_url).await;
        say(&mut sleeper, "BEGIN; CREATE TABLE oncely.epoch (x int)").await;

        let database_url = app.database_url.clone();
        let mut migration = JoinSet::new();
        migration.spawn(async move {
            let mut connection = session(&database_url).await;
            ledger::migrate(&mut connection).await
        });
        somebody_waits_for_a_lock(&app).await;
        let (since, mut n_charges) = (Instant::now(), 0);
        let given_up = loop {
            if let Some(ended) = migration.try_join_next() {
                break ended.unwrap();
            }
            assert!(since.elapsed() < GIVES_UP_WITHIN, "it waits for ever");
            n_charges += 1;
            let key = format!("k-{n_charges}");
            let first = caller.charge(&key, n_charges).await;
            assert_eq!(first.status, 201, "{first:?}");
            let replay = after_in_flight(&caller, &key, n_charges).await;
            assert_eq!(replay.essence(), first.essence());
        };
        assert!(0 < n_charges, "requests went on");
        let error = given_up.unwrap_err();
        assert_eq!(error.operation, ledger::Operation::Migrate);

        say(&mut sleeper, "ROLLBACK").await;
        ledger::migrate(&mut session(&app.database_url).await)
            .await
            .unwrap();
        until(|| async { app.store.health().ledger_is_up }).await;
        assert_eq!(
            caller.charge("k-1", 1).await.idempotency_status(),
            "replayed"
        );
        assert_eq!(app.n_charges().await, n_charges);
        assert_eq!(app.n_records().await, n_charges);
    });
}
