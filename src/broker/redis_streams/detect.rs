//! Asks a server what it makes of an acknowledged write.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{InfoDict, RedisResult};

use super::RedisStreams;
use super::durability::{Append, Detected, Facts, NotDurable, decide, require, version};
use super::refusal::is_forbidden;
use crate::broker::{Durability, Error};
use crate::config::BrokerDurability;

/// Why a process must not start with this broker.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Nobody knows: it could not be asked.
    #[error(transparent)]
    Unknown(#[from] Error),
    /// It is less durable than the settings ask for.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
}

impl RedisStreams {
    /// Checks at start that the broker is as durable as `wanted`, and says which mode it is. An error
    /// where `wanted` is strict and it is not, or where it can't be asked.
    pub async fn require(&self, wanted: BrokerDurability) -> Result<Durability, Unfit> {
        let found = self.detect().await?;
        require(wanted, found)?;
        tracing::info!(
            mode = found.mode.as_str(),
            why = found.why,
            "the broker's durability"
        );
        Ok(found.mode)
    }

    /// Asks now, and sees to it that publishing goes by the answer.
    pub(super) async fn detect(&self) -> Result<Detected, Error> {
        let work =
            |mut open: super::line::Open| async move { Ok(detect(&mut open.connection).await?) };
        let found = self
            .inner
            .asking
            .exchange("tell its durability", work)
            .await?;
        let publishing = &self.inner.publishing;
        publishing.close_unless(|was| was.mode == found.mode).await;
        Ok(found)
    }
}

/// Asks the server behind this connection.
pub(super) async fn detect(connection: &mut MultiplexedConnection) -> RedisResult<Detected> {
    let info = redis::cmd("INFO").arg("server").to_owned();
    // One name at a time: servers before 7.0 take no more.
    let get = |name: &str| redis::cmd("CONFIG").arg("GET").arg(name).to_owned();
    let info: InfoDict = info.query_async(connection).await?;
    let only = value_of(
        get("appendonly").query_async(connection).await,
        "appendonly",
    )?;
    let fsync = value_of(
        get("appendfsync").query_async(connection).await,
        "appendfsync",
    )?;
    let facts = Facts {
        version: info
            .get::<String>("redis_version")
            .and_then(|it| version(&it)),
        append: only.zip(fsync).map(|(only, fsync)| Append { only, fsync }),
    };
    Ok(decide(&facts))
}

/// The setting's value; `None` where nobody may ask.
fn value_of(
    reply: RedisResult<HashMap<String, String>>,
    name: &str,
) -> RedisResult<Option<String>> {
    match reply {
        Ok(mut values) => Ok(values.remove(name)),
        Err(cause) if is_forbidden(&cause) => Ok(None),
        Err(cause) => Err(cause),
    }
}
