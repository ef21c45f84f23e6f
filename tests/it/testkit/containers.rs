//! The same promises from Docker.

use std::time::Duration;

use oncely::testkit::{Backend, Postgres, PostgresOptions, Redis, RedisOptions, docker_or_say_so};

use super::{count, execute, redis_get, redis_set, within};

#[tokio::test]
async fn a_killed_redis_container_keeps_its_port_and_its_data() {
    within(120, async {
        if !docker_or_say_so("a_killed_redis_container_keeps_its_port_and_its_data").await {
            return Ok(());
        }
        let redis = Redis::start_on(Backend::Docker, RedisOptions::durable()).await?;
        redis_set(redis.url(), "key", "value").await?;
        redis.kill().await?;
        assert!(redis_get(redis.url(), "key").await.is_err(), "it is dead");
        redis.restart().await?;
        assert_eq!(
            redis_get(redis.url(), "key").await?.as_deref(),
            Some("value")
        );

        redis.pause().await?;
        let silence = Duration::from_millis(300);
        let get = redis_get(redis.url(), "key");
        assert!(tokio::time::timeout(silence, get).await.is_err());
        redis.resume().await?;
        assert_eq!(
            redis_get(redis.url(), "key").await?.as_deref(),
            Some("value")
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_postgres_container_keeps_its_port_and_its_data() {
    within(180, async {
        if !docker_or_say_so("a_killed_postgres_container_keeps_its_port_and_its_data").await {
            return Ok(());
        }
        let options = PostgresOptions::with([("max_connections", "17")]);
        let postgres = Postgres::start_on(Backend::Docker, options).await?;
        execute(postgres.url(), "CREATE TABLE t AS SELECT 1").await?;
        let setting = "SELECT current_setting('max_connections')::bigint";
        assert_eq!(count(postgres.url(), setting).await?, 17);
        postgres.kill().await?;
        assert!(execute(postgres.url(), "SELECT 1").await.is_err());
        postgres.restart().await?;
        assert_eq!(count(postgres.url(), "SELECT count(*) FROM t").await?, 1);
        Ok(())
    })
    .await;
}
