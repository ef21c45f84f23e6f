//! The self-check at start: whether Redis, or what answers in its place, does what we rely on.
//!
//! A server that ignores `NX` or `GET` can't make us charge twice, because the ledger decides. But
//! every request would pay for a hot path that never replays, and nobody would know.

use redis::Value;
use uuid::Uuid;

use super::acquire::set_nx_get;
use super::{Error, Hot, Operation, keys};

/// Any connection will do.
const ROUTE: u64 = 0;

/// How the self-check went.
#[derive(Debug)]
pub enum Probed {
    /// Redis does what we rely on.
    Sound,
    /// Redis is not to be had, or refuses. We start without it, and it may come back.
    Degraded(Error),
}

/// Redis is there but can't be the hot path. Each message names the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A second `SET NX` replaced the first.
    #[error("Redis ignores NX: connect to a real Redis, or past the proxy that drops the option")]
    IgnoresNx,
    /// `SET NX GET` did not answer with what is there.
    #[error("Redis ignores GET: connect to a real Redis, or past the proxy that drops the option")]
    IgnoresGet,
    /// The key has no end, or another one than it was given.
    #[error("Redis ignores PX: connect to a real Redis, or past the proxy that drops the option")]
    IgnoresExpiry,
    /// `SET NX GET` is a syntax error: it came with version 7.0.
    #[error("Redis{} is too old: SET with NX and GET came with 7.0; upgrade it",
        version.as_ref().map(|it| format!(" {it}")).unwrap_or_default())]
    TooOld {
        /// What it says it is.
        version: Option<String>,
    },
}

/// One reply to `SET NX GET`.
enum Reply {
    Nothing,
    Held(Vec<u8>),
    Nonsense,
    Syntax,
}

impl Hot {
    /// Checks on a random key that `SET NX GET PX` sets once, answers with what is there, and sets
    /// an end. A server that is not there is no error; one that does something else is.
    ///
    /// # Cancellation
    ///
    /// A key may be left behind. It expires, as each of ours does.
    pub async fn probe(&self) -> Result<Probed, Unfit> {
        match self.examine().await {
            Ok(Ok(())) => Ok(Probed::Sound),
            Ok(Err(unfit)) => Err(unfit),
            Err(error) => Ok(Probed::Degraded(error)),
        }
    }

    async fn examine(&self) -> Result<Result<(), Unfit>, Error> {
        let id = Uuid::new_v4();
        let key = keys::probe(&self.inner.settings.key_prefix, *id.as_bytes());
        // The third finds out whether the second replaced the first without saying so.
        for (value, is_first) in [(b"1", true), (b"2", false), (b"3", false)] {
            let unfit = match self.set(&key, value).await? {
                Reply::Nothing if is_first => continue,
                Reply::Held(held) if !is_first && held == b"1" => continue,
                Reply::Held(_) if is_first => Unfit::IgnoresGet,
                Reply::Nothing | Reply::Held(_) => Unfit::IgnoresNx,
                Reply::Nonsense => Unfit::IgnoresGet,
                Reply::Syntax => Unfit::TooOld {
                    version: self.version().await?,
                },
            };
            return Ok(Err(unfit));
        }
        let left_ms = self
            .exchange(Operation::Probe, ROUTE, |mut connection| async move {
                let mut pttl = redis::cmd("PTTL");
                pttl.arg(&key);
                pttl.query_async::<i64>(&mut connection).await
            })
            .await?;
        let has_end = u64::try_from(left_ms).is_ok_and(|it| it <= self.latch_ttl_ms());
        Ok(if has_end {
            Ok(())
        } else {
            Err(Unfit::IgnoresExpiry)
        })
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<Reply, Error> {
        let set = set_nx_get(key, value, self.latch_ttl_ms());
        self.exchange(Operation::Probe, ROUTE, |mut connection| async move {
            match set.query_async::<Value>(&mut connection).await {
                Ok(Value::Nil) => Ok(Reply::Nothing),
                Ok(Value::BulkString(held)) => Ok(Reply::Held(held)),
                Ok(_) => Ok(Reply::Nonsense),
                Err(cause) if cause.detail().is_some_and(|it| it.contains("syntax")) => {
                    Ok(Reply::Syntax)
                }
                Err(cause) => Err(cause),
            }
        })
        .await
    }

    async fn version(&self) -> Result<Option<String>, Error> {
        let info = self
            .exchange(Operation::Probe, ROUTE, |mut connection| async move {
                let mut info = redis::cmd("INFO");
                info.arg("server");
                info.query_async::<String>(&mut connection).await
            })
            .await?;
        let mut lines = info.lines();
        let version = lines.find_map(|it| it.strip_prefix("redis_version:"));
        Ok(version.map(|it| it.trim().to_owned()))
    }
}
