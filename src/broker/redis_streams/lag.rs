//! How far the groups are behind.

use redis::Value;

use super::RedisStreams;
use super::line::{Cause, Open};
use super::refusal::is_no_stream;
use super::reply::{Fields, place, read, whole};
use crate::broker::{Error, Lag};
use crate::domain::Topic;

impl RedisStreams {
    pub(super) async fn lag_of(&self, topic: &Topic) -> Result<Lag, Error> {
        let work = |open| self.lag_on(open, topic);
        self.inner.asking.exchange("tell the lag", work).await
    }

    async fn lag_on(&self, mut open: Open, topic: &Topic) -> Result<Lag, Cause> {
        let groups = self.groups(&mut open, topic).await?;
        let mut all = Vec::new();
        for group in &groups {
            let unread = match unread(group)? {
                Some(unread) => unread,
                None => self.unread_at_most(&mut open, topic, group).await?,
            };
            all.push(unread.saturating_add(whole(group, "pending")?));
        }
        Ok(Lag::of(all))
    }

    /// The groups of the topic's stream; none where there is no stream.
    pub(super) async fn groups(
        &self,
        open: &mut Open,
        topic: &Topic,
    ) -> Result<Vec<Fields>, Cause> {
        let mut ask = redis::cmd("XINFO");
        ask.arg("GROUPS").arg(self.key(topic));
        let groups = ask.query_async::<Vec<Fields>>(&mut open.connection).await;
        match groups {
            Err(cause) if is_no_stream(&cause) => Ok(Vec::new()),
            groups => Ok(groups?),
        }
    }

    /// An upper bound, where the server lost count: nothing, or all that is there.
    async fn unread_at_most(
        &self,
        open: &mut Open,
        topic: &Topic,
        group: &Fields,
    ) -> Result<u64, Cause> {
        let mut ask = redis::cmd("XINFO");
        ask.arg("STREAM").arg(self.key(topic));
        let stream: Fields = ask.query_async(&mut open.connection).await?;
        if place(&stream, "last-generated-id")? <= place(group, "last-delivered-id")? {
            return Ok(0);
        }
        whole(&stream, "length")
    }
}

/// How many entries the group was not given yet. Servers before 7.0 do not count, and later ones lose
/// count when entries are deleted from the middle.
fn unread(group: &Fields) -> Result<Option<u64>, Cause> {
    match group.get("lag") {
        None | Some(Value::Nil) => Ok(None),
        Some(_) => Ok(Some(read(group, "lag")?)),
    }
}
