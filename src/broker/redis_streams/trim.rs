//! Forgetting what each group has finished.

use std::collections::BTreeMap;

use redis::Value;
use time::OffsetDateTime;

use super::RedisStreams;
use super::line::{Cause, Open};
use super::place::Place;
use super::reply::{Fields, Unexpected, place, read, whole};
use crate::broker::Error;
use crate::domain::Topic;

impl RedisStreams {
    /// Trims what is older than `before` and finished. A group that is made in the very moment
    /// between the look and the cut begins after the cut; what it misses, the reconciler finds.
    pub(super) async fn trim_finished(
        &self,
        topic: &Topic,
        before: OffsetDateTime,
    ) -> Result<u64, Error> {
        let work = |open| self.trim_on(open, topic, before);
        self.inner.asking.exchange("trim", work).await
    }

    async fn trim_on(
        &self,
        mut open: Open,
        topic: &Topic,
        before: OffsetDateTime,
    ) -> Result<u64, Cause> {
        let groups = self.groups(&mut open, topic).await?;
        let mut needed = Vec::with_capacity(groups.len());
        for group in &groups {
            needed.push(self.needed_by(&mut open, topic, group).await?);
        }
        let Some(from) = keep_from(before, &needed) else {
            return Ok(0);
        };
        let mut trim = redis::cmd("XTRIM");
        trim.arg(self.key(topic))
            .arg("MINID")
            .arg("=")
            .arg(from.to_string());
        Ok(trim.query_async(&mut open.connection).await?)
    }

    /// The first place that the group still needs.
    async fn needed_by(
        &self,
        open: &mut Open,
        topic: &Topic,
        group: &Fields,
    ) -> Result<Place, Cause> {
        let unread_from = place(group, "last-delivered-id")?.next();
        if whole(group, "pending")? == 0 {
            return Ok(unread_from);
        }
        let name: Vec<u8> = read(group, "name")?;
        let mut ask = redis::cmd("XPENDING");
        ask.arg(self.key(topic)).arg(name);
        // How many, the smallest, the largest, by whom. No smallest where they were finished since.
        let pending: Vec<Value> = ask.query_async(&mut open.connection).await?;
        let smallest = pending.into_iter().nth(1).ok_or(Unexpected("XPENDING"))?;
        match redis::from_redis_value::<Option<String>>(smallest)? {
            Some(smallest) => Ok(unread_from.min(smallest.parse()?)),
            None => Ok(unread_from),
        }
    }
}

/// From where on entries are kept. Without a group nobody has finished anything.
fn keep_from(before: OffsetDateTime, needed: &[Place]) -> Option<Place> {
    let millis = before.unix_timestamp_nanos().div_euclid(1_000_000);
    let before = Place::at(u64::try_from(millis).unwrap_or(0));
    needed.iter().min().map(|it| before.min(*it))
}

/// Who of a group's consumers is dead: (name, idle in milliseconds, pending), idle beyond the limit
/// and holding nothing.
pub(super) fn dead(consumers: BTreeMap<Vec<u8>, (u64, u64)>, idle_max: u64) -> Vec<Vec<u8>> {
    let is_dead = |(idle, pending): &(u64, u64)| *pending == 0 && *idle > idle_max;
    let dead = consumers.into_iter().filter(|(_, it)| is_dead(it));
    dead.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn nothing_is_trimmed_that_somebody_needs_or_that_nobody_finished() {
        let before = datetime!(1970-01-01 0:00:01 UTC);
        let place = |millis, seq| Place { millis, seq };
        assert_eq!(keep_from(before, &[]), None);
        let needed = [place(900, 3), place(5000, 0)];
        assert_eq!(keep_from(before, &needed), Some(place(900, 3)));
        assert_eq!(keep_from(before, &[place(5000, 0)]), Some(place(1000, 0)));
        let long_ago = datetime!(1969-01-01 0:00 UTC);
        assert_eq!(keep_from(long_ago, &needed), Some(place(0, 0)));
    }

    #[test]
    fn dead_is_who_is_idle_for_long_and_holds_nothing() {
        let consumers = [("a", (9, 0)), ("b", (11, 0)), ("c", (11, 1))];
        let consumers = consumers.map(|(name, it)| (name.as_bytes().to_vec(), it));
        assert_eq!(dead(consumers.into(), 10), [b"b".to_vec()]);
    }
}
