//! What the server looks like now.
//!
//! A marker of ours stands beside the streams. It goes where they go: after `FLUSHALL`, or on a server
//! that never had it, a new one is set, and the history is another.

use redis::{InfoDict, RedisResult, Value};
use uuid::Uuid;

use super::RedisStreams;
use super::line::{Cause, Open};
use super::refusal::is_no_stream;
use super::reply::{Fields, place, whole};
use crate::broker::{Epoch, Error};
use crate::domain::Topic;

impl RedisStreams {
    pub(super) async fn epoch_of(&self, topics: &[Topic]) -> Result<Epoch, Error> {
        let asking = &self.inner.asking;
        let work = |open| self.epoch_on(open, topics);
        asking.exchange("tell its epoch", work).await
    }

    async fn epoch_on(&self, mut open: Open, topics: &[Topic]) -> Result<Epoch, Cause> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors();
        pipe.cmd("INFO").arg("server");
        pipe.cmd("INFO").arg("replication");
        let marker = self.marker();
        let fresh = Uuid::new_v4().simple().to_string();
        pipe.cmd("SET").arg(&marker).arg(fresh).arg("NX");
        pipe.cmd("GET").arg(&marker);
        for topic in topics {
            pipe.cmd("XINFO").arg("STREAM").arg(self.key(topic));
        }
        let replies: Vec<RedisResult<Value>> = pipe.query_async(&mut open.connection).await?;
        let mut replies = replies.into_iter();
        let mut info = |name: &'static str| -> Result<String, Cause> {
            let reply = replies.next().ok_or("a reply is missing")??;
            let info: InfoDict = redis::from_redis_value(reply)?;
            Ok(info
                .get(name)
                .ok_or_else(|| format!("INFO has no {name}"))?)
        };
        let (process, replid) = (info("run_id")?, info("master_replid")?);
        // Set or not, or refused by a replica or a full server: what stands there counts.
        drop(replies.next());
        let marker = replies.next().ok_or("a reply is missing")??;
        let marker: Option<String> = redis::from_redis_value(marker)?;
        let history = format!("{replid}:{}", marker.unwrap_or_default());
        let mut places = std::collections::BTreeMap::new();
        for (topic, reply) in topics.iter().zip(replies) {
            let place = match reply {
                Ok(stream) => place_of(&redis::from_redis_value(stream)?)?,
                Err(cause) if is_no_stream(&cause) => (0, 0),
                Err(cause) => return Err(cause.into()),
            };
            places.insert(topic.to_string(), place);
        }
        Ok(Epoch {
            process,
            history,
            topics: places,
        })
    }
}

/// How far the stream is: how many entries were ever added, and the latest one's milliseconds.
///
/// The number comes first because it begins anew when a stream was deleted and made again, while the
/// ids of the new one are higher than those of the old. Before 7.0 nobody counts.
fn place_of(stream: &Fields) -> Result<(u64, u64), Cause> {
    let last = place(stream, "last-generated-id")?;
    match stream.get("entries-added") {
        Some(_) => Ok((whole(stream, "entries-added")?, last.millis)),
        None => Ok((last.millis, last.seq)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(n_added: Option<i64>, last: &str) -> Fields {
        let last = Value::BulkString(last.as_bytes().to_vec());
        let mut fields = Fields::from([("last-generated-id".to_owned(), last)]);
        fields.extend(n_added.map(|it| ("entries-added".to_owned(), Value::Int(it))));
        fields
    }

    #[test]
    fn a_stream_that_was_made_anew_is_behind_though_its_ids_are_higher() {
        let was = place_of(&stream(Some(1000), "1700-4")).unwrap();
        assert!(place_of(&stream(Some(3), "1800-0")).unwrap() < was);
        assert!(was < place_of(&stream(Some(1001), "1700-5")).unwrap());
        // Cut short and filled again: as many, by another clock.
        assert!(place_of(&stream(Some(1000), "1699-0")).unwrap() < was);
    }

    #[test]
    fn an_old_server_is_known_by_its_last_id() {
        assert_eq!(place_of(&stream(None, "1700-4")).unwrap(), (1700, 4));
        assert!(place_of(&stream(None, "nonsense")).is_err());
    }
}
