//! What `oncely serve` refuses to start on, and in which words.

use std::fs;

use nix::sys::signal::Signal;
use oncely::servers::postgres::Options;
use oncely::testkit::{Database, Pair, Postgres, PostgresOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{Process, lie, migrated, run};

async fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statement = AssertSqlSafe(statement.to_owned());
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Starts `oncely serve` on a database and the shared Redis; returns its exit code and complaints.
async fn refusal(database_url: &str) -> (Option<i32>, String) {
    let pair = Pair::shared().await.unwrap();
    let (status, _, complaints) = Process::serve(database_url, pair.redis.url(), &[])
        .ended()
        .await;
    (status.code(), complaints)
}

async fn is_refused_for(database_url: &str, words: &[&str]) {
    let (code, complaints) = refusal(database_url).await;
    assert_eq!(code, Some(1), "{complaints}");
    for word in words {
        assert!(complaints.contains(word), "no {word:?} in: {complaints}");
    }
}

async fn is_served(database_url: &str) {
    let pair = Pair::shared().await.unwrap();
    let mut process = Process::serve(database_url, pair.redis.url(), &[]);
    let caller = process.caller().await;
    assert_eq!(caller.charge("served", 1).await.status, 201);
    process.signal(Signal::SIGTERM);
    assert_eq!(process.ended().await.0.code(), Some(0));
}

#[test]
fn a_server_that_may_lose_commits_is_refused_and_each_setting_named() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database: Database = migrated(postgres.url()).await;
        let url = database.url();
        is_served(url).await;

        let name = database.name();
        let set = format!("ALTER DATABASE {name} SET synchronous_commit = off");
        execute(url, &set).await;
        is_refused_for(
            url,
            &["synchronous_commit is off", "synchronous_commit = on"],
        )
        .await;
        execute(
            url,
            &format!("ALTER DATABASE {name} RESET synchronous_commit"),
        )
        .await;

        execute(postgres.url(), "ALTER SYSTEM SET full_page_writes = off").await;
        postgres.restart().await.unwrap();
        is_refused_for(url, &["full_page_writes is off"]).await;
        execute(postgres.url(), "ALTER SYSTEM RESET full_page_writes").await;
        postgres.restart().await.unwrap();
        is_served(url).await;
    });
}

#[test]
fn a_server_without_fsync_is_refused_by_serve_and_taken_by_dev_where_it_is_told_to() {
    run(async {
        let options = PostgresOptions::with([("fsync", "off")]);
        let postgres = Postgres::start(options).await.unwrap();
        let database = migrated(postgres.url()).await;
        is_refused_for(database.url(), &["fsync is off", "fsync = on"]).await;

        let pair = Pair::shared().await.unwrap();
        let variables = [
            ("ONCELY_DATABASE_URL", database.url()),
            ("ONCELY_REDIS_URL", pair.redis.url()),
            ("ONCELY_HTTP_ADDR", "127.0.0.1:0"),
            ("ONCELY_ADMIN_ADDR", "127.0.0.1:0"),
        ];
        let (status, _, complaints) = Process::start(&["dev"], &variables).ended().await;
        assert_eq!(status.code(), Some(1));
        assert!(complaints.contains("fsync is off"), "{complaints}");
        let mut dev = Process::start(&["dev", "--allow-unsafe-durability"], &variables);
        dev.says("Ctrl-C stops everything").await;
        dev.signal(Signal::SIGINT);
        assert_eq!(dev.ended().await.0.code(), Some(0));
    });
}

#[test]
fn only_dev_may_be_allowed_an_unsafe_database() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        let database = migrated(pair.postgres.url()).await;
        let variables = [("ONCELY_LEDGER__ALLOW_UNSAFE_DURABILITY", "true")];
        let serve = Process::serve(database.url(), pair.redis.url(), &variables);
        let (status, _, complaints) = serve.ended().await;
        assert_eq!(status.code(), Some(2), "{complaints}");
        assert!(complaints.contains("ledger.allow_unsafe_durability"));
        assert!(complaints.contains("oncely dev"), "{complaints}");
    });
}

#[test]
fn a_standby_is_refused_by_name() {
    run(async {
        // It is told to be one after a clean stop: what it shows then is a primary's past.
        let start = tokio::task::spawn_blocking(|| Options::default().start());
        let server = start.await.unwrap().unwrap();
        let database = migrated(&server.url()).await;
        is_served(database.url()).await;
        let server = tokio::task::spawn_blocking(move || {
            fs::write(server.directory().join("data/standby.signal"), "").unwrap();
            server.restart().unwrap();
            server
        })
        .await
        .unwrap();
        is_refused_for(
            database.url(),
            &["read replica", "point `database_url` at the primary"],
        )
        .await;
        drop(database);
        tokio::task::spawn_blocking(move || drop(server))
            .await
            .unwrap();
    });
}

#[test]
fn a_ledger_that_a_crash_would_empty_or_that_another_binary_made_is_refused() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let url = database.url();
        execute(url, "ALTER TABLE oncely.records SET UNLOGGED").await;
        let words = [
            "oncely.records is UNLOGGED",
            "ALTER TABLE oncely.records SET LOGGED",
        ];
        is_refused_for(url, &words).await;
        execute(url, "ALTER TABLE oncely.records SET LOGGED").await;
        is_served(url).await;

        execute(
            url,
            "INSERT INTO oncely.migrations (version, description, success, checksum, execution_time)
             VALUES (29990101000000, 'of the future', true, '', 0)",
        )
        .await;
        is_refused_for(url, &["newer than this binary"]).await;

        let empty = Database::create(postgres.url()).await.unwrap();
        is_refused_for(empty.url(), &["run `oncely migrate`"]).await;
        let variables = [("ONCELY_DATABASE_URL", empty.url())];
        let migrate = Process::start(&["migrate"], &variables).ended().await;
        assert_eq!(migrate.0.code(), Some(0), "{}", migrate.2);
        is_served(empty.url()).await;
    });
}

#[test]
fn a_redis_that_says_ok_to_everything_is_refused_and_one_that_is_away_is_not() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let mut liar = JoinSet::new();
        liar.spawn(lie(listener));
        let (status, _, complaints) = Process::serve(database.url(), &url, &[]).ended().await;
        assert_eq!(status.code(), Some(1), "{complaints}");
        assert!(complaints.contains("can't be the hot path"), "{complaints}");
        assert!(
            complaints.contains("connect to a real Redis"),
            "{complaints}"
        );
        liar.shutdown().await;

        let mut serve = Process::serve(database.url(), &url, &[]);
        let caller = serve.caller().await;
        assert_eq!(caller.charge("k-1", 1).await.status, 201);
        assert!(serve.complaints().contains("serving from the ledger alone"));
    });
}

#[test]
fn missing_settings_and_a_taken_port_are_named() {
    run(async {
        let (status, _, complaints) = Process::start(&["serve"], &[]).ended().await;
        assert_eq!(status.code(), Some(2));
        for name in ["database_url", "redis_url", "auth.tokens"] {
            assert!(complaints.contains(name), "no {name} in: {complaints}");
        }

        let pair = Pair::shared().await.unwrap();
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap().to_string();
        for name in ["http_addr", "admin_addr"] {
            let variable = format!("ONCELY_{}", name.to_uppercase());
            let variables = [(variable.as_str(), address.as_str())];
            let serve = Process::serve(database.url(), pair.redis.url(), &variables);
            let (status, _, complaints) = serve.ended().await;
            assert_eq!(status.code(), Some(1));
            let words = format!("can't listen on {address}; set `{name}`");
            assert!(complaints.contains(&words), "{complaints}");
        }
    });
}
