//! Sets our latch where there is nothing, or reads what is there, in one round trip.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value};

use super::error::{is_full, is_wrong_type};
use super::{Content, Envelope, Error, Hot, Latch, Operation, keys};
use crate::domain::Identity;

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is moved once and taken apart; a box would cost each replay an allocation"
)]
pub enum Acquired {
    /// Nothing: now our latch is there.
    Latched,
    /// This. Our latch was not set.
    Held(Envelope),
    /// Something that can't be read for certain: another version's, another key's, no envelope at
    /// all. It counts as absent, our latch was not set, and the ledger is asked.
    Garbage,
}

impl Hot {
    /// Sets `latch` where there is nothing yet for `identity`, and tells what is there otherwise.
    ///
    /// `SET NX GET` is a write command: a replica refuses it, so what is read here was read from
    /// a server that believes to be the primary.
    ///
    /// Where Redis is full it refuses the write before it looks. Then `GETEX`, a write command
    /// that needs no memory, reads what is there: replays go on while nothing new can be latched.
    ///
    /// # Cancellation
    ///
    /// The latch may or may not have been set, as after [`Class::Timeout`](super::Class::Timeout)
    /// and [`Class::Broken`](super::Class::Broken). [`Hot::complete`] and [`Hot::release`] take it
    /// away in each case, and without them it expires.
    pub async fn acquire(
        &self,
        identity: &Identity,
        latch: &Envelope<Latch>,
    ) -> Result<Acquired, Error> {
        let route = keys::route(identity);
        let key = keys::record(&self.inner.settings.key_prefix, identity);
        let value = latch.encode(identity);
        let reply = self
            .exchange(Operation::Acquire, route, |mut connection| async move {
                let set = set_nx_get(&key, &value, self.latch_ttl_ms());
                match set.query_async::<Value>(&mut connection).await {
                    Err(cause) if is_full(&cause) => {
                        self.note_room(true);
                        read(&mut connection, &key, cause).await
                    }
                    result => {
                        self.note_room(false);
                        unless_wrong_type(result)
                    }
                }
            })
            .await?;
        Ok(understand(identity, latch, reply))
    }

    /// How long a latch stays, in milliseconds; at least one, because Redis refuses 0.
    pub(super) fn latch_ttl_ms(&self) -> u64 {
        let ms = self.inner.settings.latch_ttl.as_millis();
        u64::try_from(ms).unwrap_or(u64::MAX).max(1)
    }
}

pub(super) fn set_nx_get(key: &str, value: &[u8], ttl_ms: u64) -> redis::Cmd {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(value).arg("NX").arg("GET");
    set.arg("PX").arg(ttl_ms);
    set
}

/// Reads from a Redis that is full; where there is nothing to read, `full` stands.
async fn read(
    connection: &mut MultiplexedConnection,
    key: &str,
    full: RedisError,
) -> RedisResult<Option<Value>> {
    let mut getex = redis::cmd("GETEX");
    getex.arg(key);
    match getex.query_async::<Value>(connection).await {
        Ok(Value::Nil) => Err(full),
        result => unless_wrong_type(result),
    }
}

/// `None` where a list or the like is there: garbage, of which Redis is not to blame.
fn unless_wrong_type(result: RedisResult<Value>) -> RedisResult<Option<Value>> {
    match result {
        Err(cause) if is_wrong_type(&cause) => Ok(None),
        result => result.map(Some),
    }
}

fn understand(identity: &Identity, latch: &Envelope<Latch>, reply: Option<Value>) -> Acquired {
    match reply {
        Some(Value::Nil) => Acquired::Latched,
        Some(Value::BulkString(bytes)) => match Envelope::decode(identity, &bytes) {
            // A proxy that sends a command twice shows us our own latch.
            Some(held) if is_ours(&held, latch) => Acquired::Latched,
            Some(held) => Acquired::Held(held),
            None => Acquired::Garbage,
        },
        _ => Acquired::Garbage,
    }
}

fn is_ours(held: &Envelope, latch: &Envelope<Latch>) -> bool {
    match &held.content {
        Content::Latch(it) => it.token == latch.content.token,
        Content::Completed(_) => false,
    }
}
