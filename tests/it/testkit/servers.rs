//! Local servers: start, kill, pause, restart.

use std::time::Duration;

use oncely::testkit::{Backend, Postgres, PostgresOptions, Redis, RedisOptions};

use super::{count, execute, redis_get, redis_set, within};

#[tokio::test]
async fn a_killed_redis_keeps_its_port_and_its_append_only_file() {
    within(60, async {
        let redis = Redis::start_on(Backend::Local, RedisOptions::durable()).await?;
        let url = redis.url().to_owned();
        for round in ["1", "2", "3"] {
            redis_set(&url, "round", round).await?;
            redis.kill().await?;
            assert!(redis_get(&url, "round").await.is_err(), "it is dead");
            redis.restart().await?;
            assert_eq!(redis_get(&url, "round").await?.as_deref(), Some(round));
        }
        redis.flush().await?;
        assert_eq!(redis_get(&url, "round").await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_postgres_keeps_its_port_and_what_was_committed() {
    within(90, async {
        let postgres = Postgres::start_on(Backend::Local, PostgresOptions::default()).await?;
        execute(postgres.url(), "CREATE TABLE t (n int)").await?;
        for round in 1..=3 {
            execute(postgres.url(), "INSERT INTO t VALUES (1)").await?;
            postgres.kill().await?;
            assert!(execute(postgres.url(), "SELECT 1").await.is_err());
            postgres.restart().await?;
            assert_eq!(
                count(postgres.url(), "SELECT count(*) FROM t").await?,
                round
            );
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_private_postgres_is_durable_and_a_setting_overrules() {
    within(60, async {
        let options = PostgresOptions::with([("max_connections", "17"), ("work_mem", "1234kB")]);
        let postgres = Postgres::start_on(Backend::Local, options).await?;
        let statement = "SELECT count(*) FROM pg_settings WHERE (name, setting) IN \
             (('fsync','on'), ('synchronous_commit','on'), ('full_page_writes','on'), \
              ('max_connections','17'), ('work_mem','1234'))";
        assert_eq!(count(postgres.url(), statement).await?, 5);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_paused_server_hangs_and_goes_on_when_resumed() {
    within(60, async {
        let redis = Redis::start_on(Backend::Local, RedisOptions::default()).await?;
        let postgres = Postgres::start_on(Backend::Local, PostgresOptions::default()).await?;
        redis_set(redis.url(), "key", "value").await?;
        redis.pause().await?;
        postgres.pause().await?;

        // Silence is the one thing that only time can show.
        let silence = Duration::from_millis(300);
        let mut select = Box::pin(execute(postgres.url(), "SELECT 1"));
        let mut get = Box::pin(redis_get(redis.url(), "key"));
        let both = async {
            tokio::select! { _ = &mut select => (), _ = &mut get => () }
        };
        assert!(tokio::time::timeout(silence, both).await.is_err());

        redis.resume().await?;
        postgres.resume().await?;
        select.await?;
        assert_eq!(get.await?.as_deref(), Some("value"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_open_connection_of_a_paused_postgres_hangs_too() {
    within(60, async {
        use sqlx::{Connection, PgConnection};
        let postgres = Postgres::start_on(Backend::Local, PostgresOptions::default()).await?;
        let mut connection = PgConnection::connect(postgres.url()).await?;
        postgres.pause().await?;
        let mut ping = Box::pin(connection.ping());
        let silence = Duration::from_millis(300);
        assert!(tokio::time::timeout(silence, &mut ping).await.is_err());
        postgres.resume().await?;
        ping.await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    within(60, async {
        let options = RedisOptions::with(["--no-such-setting", "1"]);
        let error = Redis::start_on(Backend::Local, options).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("redis ended while starting"), "{text}");
        assert!(text.contains("no-such-setting"), "{text}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_given_server_cannot_be_killed() {
    within(10, async {
        let error = Redis::given("redis://localhost").kill().await.unwrap_err();
        assert!(format!("{error:#}").contains("starts one of its own"));
        Ok(())
    })
    .await;
}

#[test]
fn a_dropped_server_leaves_no_directory() {
    let server = RedisOptions::default().start().unwrap();
    let directory = server.directory().to_owned();
    let pid = server.pid().unwrap();
    assert!(directory.is_dir());
    drop(server);
    assert!(!directory.exists());
    assert!(!super::ownership::is_alive(pid));
}

#[test]
fn a_killed_server_keeps_its_directory_until_its_owner_ends() {
    let server = PostgresOptions::default().start().unwrap();
    let directory = server.directory().to_owned();
    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert!(directory.join("data/PG_VERSION").exists());
    drop(server);
    assert!(!directory.exists());
}
