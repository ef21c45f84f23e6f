//! What a broker has to do for the relay and for a consumer.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use time::OffsetDateTime;

use super::{Epoch, Error, Refused};
use crate::domain::{Message, Topic};

/// A message broker. Cheap to share; each call may run beside others.
pub trait Broker: fmt::Debug + Send + Sync {
    /// What it is, such as `redis-streams`: the key of what is remembered about it.
    fn name(&self) -> &'static str;

    /// How much an acknowledged message is worth there, as far as it can be detected. Asks the
    /// broker.
    fn durability(&self) -> BoxFuture<'_, Result<Durability, Error>>;

    /// Publishes `messages`, each to its own topic, in their order. One entry comes back for each
    /// message, in the same order.
    ///
    /// An error means that nobody knows which of them were taken, and says nothing about any single
    /// message: the broker is away, full, or not durable enough right now.
    ///
    /// # Cancellation
    ///
    /// Dropped, some may have been published.
    fn publish<'a>(
        &'a self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Result<(), Refused>>, Error>>;

    /// What it looks like now. Compared with an earlier look it shows whether messages may be lost.
    fn epoch<'a>(&'a self, topics: &'a [Topic]) -> BoxFuture<'a, Result<Epoch, Error>>;

    /// How many messages of `topic` its groups have not finished; nothing where it has no group.
    fn lag<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Lag, Error>>;

    /// Joins `group` on `topic` as `member`, which must be unique to this process. A new group begins
    /// with the oldest message that is there.
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
        group: &'a str,
        member: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>>;

    /// Forgets messages of `topic` that were published before `before` and that each group has
    /// finished. Returns how many.
    fn trim<'a>(
        &'a self,
        topic: &'a Topic,
        before: OffsetDateTime,
    ) -> BoxFuture<'a, Result<u64, Error>>;
}

/// One member's place in a group. The broker's other groups get every message as well.
pub trait Subscription: fmt::Debug + Send {
    /// Takes up to `n_max` messages, waiting up to `patience` for the first. What other members took
    /// and did not acknowledge for a while comes first.
    ///
    /// # Cancellation
    ///
    /// Dropped, what the broker has given out in the meantime comes again later.
    fn receive(
        &mut self,
        n_max: usize,
        patience: Duration,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Error>>;

    /// Says that these are done: the group gets them no more.
    fn acknowledge<'a>(&'a mut self, receipts: &'a [Receipt]) -> BoxFuture<'a, Result<(), Error>>;

    /// Leaves the group, where this member holds nothing any more; what it holds comes to others.
    fn leave(&mut self) -> BoxFuture<'_, Result<(), Error>>;
}

/// A message as it was given out.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message; an error where what is there is none of ours.
    pub message: Result<Message, Malformed>,
    /// What it is acknowledged by.
    pub receipt: Receipt,
    /// How often this group was given it, from 1.
    pub n_deliveries: u32,
}

/// What a delivery is acknowledged by; only its broker understands it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// What stands in the topic is no message of ours: somebody else writes there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a message: {0}")]
pub struct Malformed(pub String);

/// How many messages of a topic are before its groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Before the group that is furthest. The pace goes by it: one that was stopped, or is gone, must
    /// not slow the others down.
    pub least: u64,
    /// Before the group that is furthest behind.
    pub most: u64,
}

impl Lag {
    /// The lag of a topic whose groups have these before them.
    pub fn of(groups: impl IntoIterator<Item = u64>) -> Self {
        let mut groups = groups.into_iter();
        let Some(first) = groups.next() else {
            return Self::default();
        };
        let alone = Self {
            least: first,
            most: first,
        };
        groups.fold(alone, |it, group| Self {
            least: it.least.min(group),
            most: it.most.max(group),
        })
    }
}

/// How much an acknowledged message is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durability {
    /// It is on the broker's disk before it is acknowledged.
    Fsynced,
    /// It is acknowledged once the broker says, on being asked, that it is on the disk.
    Confirmed,
    /// A crash of the broker may lose it: the reconciler alone sees to it.
    Hint,
}

impl Durability {
    /// The mode's name, as it stands in metrics and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fsynced => "fsynced",
            Self::Confirmed => "confirmed",
            Self::Hint => "hint",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fsynced => "fsynced: on the broker's disk before it is acknowledged",
            Self::Confirmed => "confirmed: the broker is asked whether it is on its disk",
            Self::Hint => {
                "hint: a crash of the broker may lose messages, and the reconciler finds them"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_stands_still_is_the_most_and_never_the_least() {
        let (least, most) = (3, 9_000);
        assert_eq!(Lag::of([9_000, 3, 5]), Lag { least, most });
        assert_eq!(Lag::of([7]), Lag { least: 7, most: 7 });
        assert_eq!(Lag::of([]), Lag::default());
    }
}
