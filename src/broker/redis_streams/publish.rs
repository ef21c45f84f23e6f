//! Publishing: one pipeline of `XADD`, and the question whether it is on the disk where that helps.

use std::time::Duration;

use redis::{Pipeline, RedisError, RedisResult, Value};

use super::RedisStreams;
use super::codec::encode;
use super::detect::detect;
use super::line::{Cause, Open};
use super::refusal::of_one_message;
use crate::broker::{Durability, Error, Refused};
use crate::domain::Message;

/// The broker has the messages, but does not say that they are on its disk.
#[derive(Debug, thiserror::Error)]
#[error("not confirmed: the broker has the batch, but it is not on its disk yet")]
struct NotConfirmed;

/// One reply less than commands: the connection is out of step.
#[derive(Debug, thiserror::Error)]
#[error("there are fewer replies than commands")]
struct RepliesMissing;

impl RedisStreams {
    pub(super) async fn publish_all(
        &self,
        messages: &[Message],
    ) -> Result<Vec<Result<(), Refused>>, Error> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        // A reply that comes later than ours would be counted as none: leave it an eighth to travel.
        let wait = self.inner.connector.timeout.mul_f64(0.875);
        let publishing = &self.inner.publishing;
        let work = |open| self.publish_on(open, messages, wait);
        let published = publishing.exchange("publish", work).await;
        if published.is_err() {
            // The epoch must be that of the server that we publish to, and the name may lead to
            // another one by now.
            self.inner.asking.hang_up().await;
        }
        published
    }

    async fn publish_on(
        &self,
        mut open: Open,
        messages: &[Message],
        wait: Duration,
    ) -> Result<Vec<Result<(), Refused>>, Cause> {
        let detected = if let Some(detected) = open.durability.get() {
            *detected
        } else {
            let detected = detect(&mut open.connection).await?;
            *open.durability.get_or_init(|| detected)
        };
        let mut pipe = Pipeline::with_capacity(messages.len() + 1);
        pipe.ignore_errors();
        for message in messages {
            let add = pipe.cmd("XADD").arg(self.key(&message.topic)).arg("*");
            for (name, value) in encode(message) {
                add.arg(name).arg(&*value);
            }
        }
        let is_asked = detected.mode == Durability::Confirmed;
        if is_asked {
            // In the same pipeline: it speaks of what this connection wrote before it.
            let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
            pipe.cmd("WAITAOF").arg(1).arg(0).arg(wait);
        }
        let replies: Vec<RedisResult<Value>> = pipe.query_async(&mut open.connection).await?;
        let mut replies = replies.into_iter();
        let taken = settle(replies.by_ref().take(messages.len()))?;
        if taken.len() < messages.len() {
            return Err(RepliesMissing.into());
        }
        if is_asked {
            confirmed(replies.next().ok_or(RepliesMissing)??)?;
        }
        Ok(taken)
    }
}

/// What became of each message; an error where one of the replies is about the server.
fn settle(
    replies: impl Iterator<Item = RedisResult<Value>>,
) -> Result<Vec<Result<(), Refused>>, RedisError> {
    let settled = replies.map(|reply| match reply {
        Ok(_) => Ok(Ok(())),
        Err(cause) => match of_one_message(&cause) {
            Some(refused) => Ok(Err(refused)),
            None => Err(cause),
        },
    });
    settled.collect()
}

/// `WAITAOF` answers with how many have it on their disks: here, and at replicas.
fn confirmed(reply: Value) -> Result<(), Cause> {
    let copies: Vec<u64> = redis::from_redis_value(reply)?;
    match copies.first() {
        Some(1..) => Ok(()),
        Some(0) | None => Err(NotConfirmed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> RedisResult<Value> {
        let value = redis::parse_redis_value(format!("{line}\r\n").as_bytes()).unwrap();
        value.extract_error()
    }

    #[test]
    fn a_refused_message_leaves_its_neighbours_and_a_sick_server_takes_all() {
        let replies = [reply("+1-0"), reply("-WRONGTYPE no"), reply("+1-1")];
        let settled = settle(replies.into_iter()).unwrap();
        assert!(matches!(settled.as_slice(), [Ok(()), Err(_), Ok(())]));
        let replies = [reply("+1-0"), reply("-WRONGTYPE no"), reply("-OOM no")];
        assert_eq!(settle(replies.into_iter()).unwrap_err().code(), Some("OOM"));
    }

    #[test]
    fn only_a_local_copy_confirms() {
        let copies = |local, replicas| Value::Array(vec![Value::Int(local), Value::Int(replicas)]);
        confirmed(copies(1, 0)).unwrap();
        let error = confirmed(copies(0, 3)).unwrap_err();
        assert!(error.to_string().contains("not confirmed"), "{error}");
        confirmed(Value::Array(Vec::new())).unwrap_err();
        confirmed(Value::Okay).unwrap_err();
    }
}
