//! A database of its own for each test, and a prefix of its own for its Redis keys.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Builder;
use uuid::Uuid;

/// A drop waits for sessions to end; one that takes longer is left to the end of the server.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// A database that belongs to one test. Dropping it drops the database, as well as it can.
#[derive(Debug)]
pub struct Database {
    server_url: String,
    name: String,
    url: String,
}

impl Database {
    /// Creates an empty database on the server at `server_url`.
    pub async fn create(server_url: &str) -> anyhow::Result<Self> {
        Self::from_template(server_url, "template1").await
    }

    /// Creates a copy of the database `template`, to which nobody may be connected meanwhile.
    pub async fn from_template(server_url: &str, template: &str) -> anyhow::Result<Self> {
        let name = unique_name();
        let mut connection = PgConnection::connect(server_url)
            .await
            .context("connecting to the test Postgres")?;
        let template = template.replace('"', "\"\"");
        let statement = format!("CREATE DATABASE {name} TEMPLATE \"{template}\"");
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .with_context(|| format!("creating the test database from {template:?}"))?;
        connection.close().await.ok();
        Ok(Self {
            url: with_database(server_url, &name)?,
            server_url: server_url.to_owned(),
            name,
        })
    }

    /// The URL of this database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name, `t_` and something random.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (url, name) = (self.server_url.clone(), self.name.clone());
        // A test's runtime may be of one thread, and that thread is here.
        let dropper = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().ok()?;
            let work = async {
                // The timer belongs to this runtime, so it is made inside of it.
                let work = drop_database(&url, &name);
                tokio::time::timeout(DROP_TIMEOUT, work).await
            };
            runtime.block_on(work).ok()?.ok()
        });
        // The server may be dead, which is what many tests are about; then nothing is to be done.
        dropper.join().ok();
    }
}

async fn drop_database(server_url: &str, name: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(server_url).await?;
    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// A prefix for the Redis keys of one test, such as `t_0f9c…:`.
pub fn key_prefix() -> String {
    format!("{}:", unique_name())
}

fn unique_name() -> String {
    format!("t_{}", Uuid::new_v4().simple())
}

/// The same URL with another database.
fn with_database(url: &str, name: &str) -> anyhow::Result<String> {
    let not_a_url = || format!("not a Postgres URL: {url:?}");
    let (scheme, rest) = url.split_once("://").with_context(not_a_url)?;
    let (location, parameters) = match rest.split_once('?') {
        Some((location, parameters)) => (location, format!("?{parameters}")),
        None => (rest, String::new()),
    };
    let authority = location.split('/').next().unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_replaces_the_one_in_the_url() {
        for (url, expected) in [
            ("postgres://u:p@h:1/d?a=/b", "postgres://u:p@h:1/t?a=/b"),
            ("postgres://h", "postgres://h/t"),
            ("postgres://h/", "postgres://h/t"),
        ] {
            assert_eq!(with_database(url, "t").unwrap(), expected);
        }
    }
}
