//! Takes our latch away, so that the next request need not wait for it to expire.

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use super::error::unexpected_reply;
use super::{Envelope, Error, Hot, Latch, Operation, keys};
use crate::domain::Identity;

const SCRIPT: &str = include_str!("lua/release.lua");

/// What was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// Our latch, and now it is gone.
    Released,
    /// Nothing.
    Absent,
    /// Something that is not ours, and it still is there.
    Other,
}

impl Hot {
    /// Takes `latch` away from `identity`, where it is still there, and nothing else.
    ///
    /// # Cancellation
    ///
    /// The latch may or may not be gone. If not, it expires.
    pub async fn release(
        &self,
        identity: &Identity,
        latch: &Envelope<Latch>,
    ) -> Result<Released, Error> {
        self.take_latch_away(Operation::Release, identity, latch)
            .await
    }

    pub(super) async fn take_latch_away(
        &self,
        operation: Operation,
        identity: &Identity,
        latch: &Envelope<Latch>,
    ) -> Result<Released, Error> {
        let route = keys::route(identity);
        let key = keys::record(&self.inner.settings.key_prefix, identity);
        let value = latch.encode(identity);
        self.exchange(operation, route, |mut connection| async move {
            take_away(&mut connection, &key, &value).await
        })
        .await
    }
}

/// Deletes `key` where it holds `value`.
///
/// By EVAL and not EVALSHA: after a restart of Redis, the latter takes three round trips, and the
/// next request on this connection would come in between and find the latch.
pub(super) async fn take_away(
    connection: &mut MultiplexedConnection,
    key: &str,
    value: &[u8],
) -> RedisResult<Released> {
    let mut eval = redis::cmd("EVAL");
    eval.arg(SCRIPT).arg(1).arg(key).arg(value);
    let (tag,): (String,) = eval.query_async(connection).await?;
    match tag.as_str() {
        "released" => Ok(Released::Released),
        "absent" => Ok(Released::Absent),
        "other" => Ok(Released::Other),
        _ => Err(unexpected_reply()),
    }
}
