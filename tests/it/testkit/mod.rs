//! The testkit itself: servers that obey and are never left behind, and a proxy that fails on order.

mod commit;
mod containers;
mod databases;
mod ownership;
mod proxy;
mod servers;

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use sqlx::{Connection, PgConnection};

/// Runs a test's body, at most for `seconds`.
async fn within<F: Future<Output = anyhow::Result<()>>>(seconds: u64, body: F) {
    let body = Box::pin(body);
    let result = tokio::time::timeout(Duration::from_secs(seconds), body).await;
    let result = result.with_context(|| format!("the test was not done after {seconds} s"));
    if let Err(error) = result.flatten() {
        panic!("{error:?}");
    }
}

/// Waits until something is so. The test's own timeout ends the wait.
async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        // There is no signal for the end of a process that is not our child.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn redis_connection(url: &str) -> anyhow::Result<redis::aio::MultiplexedConnection> {
    let client = redis::Client::open(url)?;
    let connection = client.get_multiplexed_async_connection().await;
    connection.with_context(|| format!("connecting to {url}"))
}

async fn redis_set(url: &str, key: &str, value: &str) -> anyhow::Result<()> {
    let mut connection = redis_connection(url).await?;
    let mut command = redis::cmd("SET");
    Ok(command
        .arg(key)
        .arg(value)
        .query_async(&mut connection)
        .await?)
}

async fn redis_get(url: &str, key: &str) -> anyhow::Result<Option<String>> {
    let mut connection = redis_connection(url).await?;
    let mut command = redis::cmd("GET");
    Ok(command.arg(key).query_async(&mut connection).await?)
}

async fn execute(url: &str, statement: &'static str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

async fn count(url: &str, statement: &'static str) -> anyhow::Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let count = sqlx::query_scalar(statement)
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(count)
}
