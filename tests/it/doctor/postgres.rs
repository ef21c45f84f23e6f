//! What may be wrong with a Postgres, made wrong.

use oncely::testkit::{Database, Postgres, PostgresOptions};
use sqlx::{Connection, PgConnection};

use super::visit::{NO_REDIS, execute, visit};
use crate::harness::{migrated, run, until};

#[test]
fn settings_that_lose_commits_or_let_tables_grow_are_found() {
    run(async {
        let options = PostgresOptions::with([
            ("fsync", "off"),
            ("autovacuum", "off"),
            ("max_connections", "30"),
        ]);
        let postgres = Postgres::start(options).await.unwrap();
        let database = migrated(postgres.url()).await;
        let name = database.name();
        let set = format!("ALTER DATABASE {name} SET synchronous_commit = off");
        execute(database.url(), &set).await;
        let visit = visit(database.url(), NO_REDIS, &[]).await;
        assert_eq!(visit.code, 2);
        visit.finds("postgres", "durability", "error", "fsync is off");
        visit.finds(
            "postgres",
            "durability",
            "error",
            "synchronous_commit is off",
        );
        visit.finds("postgres", "autovacuum", "error", "off");
        visit.finds("postgres", "connections", "error", "are possible");
        visit.is_good("postgres", "race");
        visit.is_good("postgres", "schema");
    });
}

#[test]
fn a_table_that_vacuum_leaves_out_and_one_that_a_crash_empties_are_found() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let url = database.url();
        execute(
            url,
            "ALTER TABLE oncely.outbox_pending SET (autovacuum_enabled = false)",
        )
        .await;
        execute(url, "ALTER TABLE oncely.records SET UNLOGGED").await;
        let found = visit(url, NO_REDIS, &[]).await;
        found.finds("postgres", "autovacuum", "warning", "outbox_pending");
        found.finds(
            "postgres",
            "logged-tables",
            "error",
            "oncely.records is UNLOGGED",
        );
        execute(
            url,
            "ALTER TABLE oncely.outbox_pending RESET (autovacuum_enabled)",
        )
        .await;
        execute(url, "ALTER TABLE oncely.records SET LOGGED").await;
        let found = visit(url, NO_REDIS, &[]).await;
        found.is_good("postgres", "autovacuum");
        found.is_good("postgres", "logged-tables");
    });
}

#[test]
fn a_standby_is_found_on_both_sides() {
    run(async {
        let primary = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(primary.url()).await;
        let options = PostgresOptions {
            standby_of: Some(primary.url().to_owned()),
            ..PostgresOptions::default()
        };
        let standby = Postgres::start(options).await.unwrap();
        let there = database
            .url()
            .replace(&primary.address().unwrap(), &standby.address().unwrap());
        let on_standby = visit(&there, NO_REDIS, &[]).await;
        assert_eq!(on_standby.code, 2);
        on_standby.finds("postgres", "primary", "error", "read replica");
        assert!(on_standby.levels("postgres", "race").is_empty());

        let on_primary = visit(database.url(), NO_REDIS, &[]).await;
        on_primary.is_good("postgres", "primary");
        on_primary.is_good("postgres", "race");
        on_primary.finds("postgres", "standby", "warning", "none of them synchronous");

        // Nobody has that name: each commit waits, and the other lines still show.
        execute(
            primary.url(),
            "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        )
        .await;
        execute(primary.url(), "SELECT pg_reload_conf()").await;
        let waiting = visit(database.url(), NO_REDIS, &[]).await;
        waiting.finds("postgres", "standby", "error", "commits wait for ever");
        waiting.finds("postgres", "race", "error", "");
    });
}

#[test]
fn a_transaction_that_nobody_ends_is_found() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        // Old is six times what an operation may take.
        let short = [
            ("ONCELY_LEDGER__OPERATION_TIMEOUT", "1s"),
            ("ONCELY_LEDGER__ACQUIRE_TIMEOUT", "999ms"),
            ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "1s"),
        ];
        visit(database.url(), NO_REDIS, &short)
            .await
            .is_good("postgres", "old-transactions");
        let mut holder = PgConnection::connect(database.url()).await.unwrap();
        let mut tx = holder.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
        until(|| async {
            let found = visit(database.url(), NO_REDIS, &short).await;
            found.levels("postgres", "old-transactions") == ["warning"]
        })
        .await;
        let found = visit(database.url(), NO_REDIS, &short).await;
        found.finds(
            "postgres",
            "old-transactions",
            "warning",
            "idle in transaction",
        );
        tx.rollback().await.unwrap();
    });
}

#[test]
fn a_schema_of_another_version_is_found_and_no_race_is_run_on_none() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let empty = Database::create(postgres.url()).await.unwrap();
        let found = visit(empty.url(), NO_REDIS, &[]).await;
        found.finds("postgres", "schema", "error", "lacks");
        assert!(found.levels("postgres", "race").is_empty());
        assert!(found.levels("flow", "outbox-lag").is_empty());

        let ahead = migrated(postgres.url()).await;
        let insert = "INSERT INTO oncely.migrations (version, description, success, checksum, \
                      execution_time) VALUES (29990101000000, 'of the future', true, '', 0)";
        execute(ahead.url(), insert).await;
        let found = visit(ahead.url(), NO_REDIS, &[]).await;
        found.finds("postgres", "schema", "error", "newer than this binary");
    });
}
