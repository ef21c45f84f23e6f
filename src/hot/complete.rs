//! Puts a committed answer into Redis, where it replays without the ledger.

use redis::Value;
use time::OffsetDateTime;

use super::error::{is_full, unexpected_reply};
use super::release::take_away;
use super::{Completed, Envelope, Error, Hot, Latch, Operation, keys};
use crate::domain::{Identity, Stored};

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cached {
    /// It is there.
    Written,
    /// Its body is over the limit: it is not there, and neither is our latch.
    TooLarge,
}

impl Hot {
    /// Writes `completed` over whatever is there for `identity`, our own `latch` or not.
    ///
    /// Call it only after the commit was acknowledged, and with the epoch and the fingerprint as
    /// they were known before the commit: an epoch learnt later could bless an answer that the new
    /// primary never got.
    ///
    /// Nothing stands in its way: it is the committed truth, and an ordinary `SET` replaces a
    /// value of any type. It never outlives the record nor the hot path's own retention. An answer
    /// that is too large, or that a full Redis refuses, takes our latch away instead, so that the
    /// next request asks the ledger rather than be told to wait.
    ///
    /// # The first poll
    ///
    /// **The first poll queues the command** on the connection that all commands about this record
    /// use: who polls once and then answers the client knows that the next request through this
    /// process finds the answer and not the latch. The future must then be kept and driven to its
    /// end elsewhere: the driver does not send what nobody waits for any more. (With more than a
    /// thousand commands queued on the connection the order may differ, and the next request finds
    /// a latch, which is a hint like any other.)
    ///
    /// # Cancellation
    ///
    /// The answer may or may not be written, as after [`Class::Timeout`](super::Class::Timeout).
    /// Either is right: a latch that stays expires, and the ledger knows the answer.
    pub async fn complete(
        &self,
        identity: &Identity,
        latch: &Envelope<Latch>,
        completed: &Envelope<Completed>,
    ) -> Result<Cached, Error> {
        if self.is_too_large(&completed.content.stored) {
            return self
                .take_latch_away(Operation::Complete, identity, latch)
                .await
                .map(|_released| Cached::TooLarge);
        }
        let route = keys::route(identity);
        let key = keys::record(&self.inner.settings.key_prefix, identity);
        let value = completed.encode(identity);
        let until_ms = self.until_ms(&completed.content);
        self.exchange(Operation::Complete, route, |mut connection| async move {
            let mut set = redis::cmd("SET");
            set.arg(&key).arg(value).arg("PXAT").arg(until_ms);
            let result = set.query_async::<Value>(&mut connection).await;
            self.note_room(result.as_ref().is_err_and(is_full));
            match result {
                Ok(Value::Okay) => Ok(Cached::Written),
                Ok(_) => Err(unexpected_reply()),
                Err(full) if is_full(&full) => {
                    take_away(&mut connection, &key, &latch.encode(identity)).await?;
                    Err(full)
                }
                Err(cause) => Err(cause),
            }
        })
        .await
    }

    fn is_too_large(&self, stored: &Stored) -> bool {
        match stored {
            Stored::Whole(response) => self.inner.settings.answer_limit_bytes < response.body.len(),
            Stored::TooLarge { .. } => false,
        }
    }

    /// Until when the answer stays, as milliseconds since 1970; at least 1, because Redis refuses
    /// 0. A time in the past is fine: the answer is gone at once, and the latch with it.
    fn until_ms(&self, completed: &Completed) -> i64 {
        // A retention beyond the calendar is as good as none: the record's own end stands.
        let retained = time::Duration::try_from(self.inner.settings.retention)
            .ok()
            .and_then(|it| completed.completed_at.checked_add(it))
            .unwrap_or(completed.expires_at);
        to_ms(completed.expires_at.min(retained)).max(1)
    }
}

fn to_ms(instant: OffsetDateTime) -> i64 {
    i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000))
        .expect("invariant: years up to 9999 fit into 64 bits of milliseconds")
}
