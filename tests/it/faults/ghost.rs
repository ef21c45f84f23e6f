//! Answers in Redis whose commit the ledger no longer has.

use std::time::Duration;

use oncely::testkit::{Database, Pair, Postgres, PostgresOptions};

use super::world::{is_marked, mark_ledger};
use crate::harness::{App, Caller, Process, Recipe, migrated, run, until};

/// Deletes what the ledger and the books know of a charge, as a restore from a backup would.
async fn forget(app: &App, amount: i64) {
    app.execute(&format!(
        "DELETE FROM oncely.records; DELETE FROM public.charges WHERE amount = {amount}"
    ))
    .await;
}

#[test]
fn a_new_epoch_ends_the_replays_of_a_lost_history() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        let caller = app.caller();
        assert_eq!(caller.charge("k-1", 1).await.status, 201);
        forget(&app, 1).await;
        let ghost = caller.charge("k-1", 1).await;
        assert_eq!(ghost.idempotency_status(), "replayed", "Redis can't know");
        assert_eq!(app.n_charges_of(1).await, 0);

        // The canary's answers come from Redis until the new epoch has been noticed.
        assert_eq!(caller.charge("canary", 1000).await.status, 201);
        mark_ledger(&app).await;
        assert!(!is_marked(&caller.charge("canary", 1000).await));
        let variables = [("ONCELY_DATABASE_URL", app.database_url.as_str())];
        let command = Process::start(&["ledger", "new-epoch"], &variables);
        let (status, out, _) = command.ended().await;
        assert!(
            status.success() && out.contains("every answer in Redis is stale"),
            "{out}"
        );
        until(|| async { is_marked(&caller.charge("canary", 1000).await) }).await;

        let again = caller.charge("k-1", 1).await;
        assert_eq!(
            again.idempotency_status(),
            "created",
            "a ghost was replayed"
        );
        let replay = caller.charge("k-1", 1).await;
        assert_eq!(replay.essence(), again.essence());
        assert_eq!((app.n_charges_of(1).await, app.n_records().await), (1, 2));
    });
}

#[test]
fn an_operation_across_a_new_epoch_leaves_no_answer_of_the_new_history() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        let caller = app.caller();
        let mut held = app.points.hold("store.transactional.after_commit");
        let first = super::world::Pending::charge(&caller, "k-1", 1);
        assert!(held.arrived().await);
        app.store.ledger().new_epoch().await.unwrap();
        forget(&app, 1).await;
        // Any answer that is confirmed from here on is confirmed by the new epoch.
        assert_eq!(caller.charge("canary", 1000).await.status, 201);
        mark_ledger(&app).await;
        until(|| async { is_marked(&caller.charge("canary", 1000).await) }).await;
        held.release();
        assert_eq!(first.reply().await.status, 201);
        let again = caller.charge("k-1", 1).await;
        assert_eq!(
            again.idempotency_status(),
            "created",
            "a ghost was replayed"
        );
        assert_eq!(app.n_charges_of(1).await, 1);
    });
}

#[test]
fn while_the_ledger_is_away_redis_answers_only_where_the_policy_says_so() {
    run(async {
        Pair::shared().await.unwrap();
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database: Database = migrated(postgres.url()).await;
        let app = |may_replay: bool| {
            App::made(
                Recipe::with_redis()
                    .database_at(database.url())
                    .with(|config| {
                        config.hot.replay_when_ledger_down = may_replay;
                        config.ledger.acquire_timeout = Duration::from_secs(1);
                    }),
            )
        };
        let (careful, bold) = (app(false).await, app(true).await);
        for (amount, app) in (1..).zip([&careful, &bold]) {
            let key = format!("k-{amount}");
            assert_eq!(app.caller().charge(&key, amount).await.status, 201);
        }
        postgres.kill().await.unwrap();
        for app in [&careful, &bold] {
            until(|| async { !app.store.health().ledger_is_up }).await;
        }
        let withheld = careful.caller().charge("k-1", 1).await;
        assert_eq!(withheld.code(), "store-unavailable");
        let replayed = bold.caller().charge("k-2", 2).await;
        assert_eq!(replayed.idempotency_status(), "replayed");
        let new = bold.caller().charge("k-new", 3).await;
        assert_eq!(new.code(), "store-unavailable", "nothing new is done");

        postgres.restart().await.unwrap();
        let caller: Caller = careful.caller();
        until(|| async { caller.charge("k-1", 1).await.idempotency_status() == "replayed" }).await;
        until(|| async { bold.caller().charge("k-new", 3).await.status == 201 }).await;
        for amount in 1..=3 {
            assert_eq!(careful.n_charges_of(amount).await, 1);
        }
    });
}
