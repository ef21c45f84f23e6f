//! Redis Streams as the broker: one stream for each topic, one consumer group for each consumer.
//!
//! Redis may lose what it acknowledged, unless it is told to flush each write. That is detected and
//! said ([`RedisStreams::require`]); what is lost all the same shows in the epoch, or is found by the
//! reconciler.
//!
//! # Connections
//!
//! Two are shared, one to publish and one to ask; each subscription has one of its own, because a
//! read that waits holds up all that comes after it. Each is made when it is needed, and dropped
//! after any error.

mod codec;
mod consumers;
mod detect;
mod durability;
mod epoch;
mod lag;
mod line;
mod place;
mod publish;
mod receive;
mod refusal;
mod reply;
mod subscription;
mod trim;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use time::OffsetDateTime;

use self::line::{Connector, Line};
use self::subscription::Member;
use super::{Broker, Durability, Epoch, Error, Lag, Refused, Subscription};
use crate::config::{self, Secret};
use crate::domain::{Message, Topic};

pub use self::detect::Unfit;
pub use self::durability::NotDurable;

/// Redis Streams as the broker. Clones share their connections.
#[derive(Clone)]
pub struct RedisStreams {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<Connector>,
    publishing: Line,
    asking: Line,
    key_prefix: String,
    redeliver_after: Duration,
}

impl RedisStreams {
    /// Takes the Redis at `url`, and connects when it is first needed, so it fails only on a URL
    /// that can't be used. A message that is not acknowledged for `redeliver_after` comes again.
    pub fn connect(
        url: &Secret,
        settings: &config::Broker,
        redeliver_after: Duration,
    ) -> Result<Self, Error> {
        let connector = Arc::new(Connector::new(url, settings)?);
        Ok(Self {
            inner: Arc::new(Inner {
                publishing: Line::new(Arc::clone(&connector)),
                asking: Line::new(Arc::clone(&connector)),
                connector,
                key_prefix: settings.key_prefix.clone(),
                redeliver_after,
            }),
        })
    }

    /// The key of the marker that tells one life of the server's data from the next.
    fn marker(&self) -> String {
        format!("{}broker", self.inner.key_prefix)
    }

    /// The key of the topic's stream.
    fn key(&self, topic: &Topic) -> String {
        format!("{}s:{topic}", self.inner.key_prefix)
    }
}

impl Broker for RedisStreams {
    fn name(&self) -> &'static str {
        "redis-streams"
    }

    fn durability(&self) -> BoxFuture<'_, Result<Durability, Error>> {
        Box::pin(async move { Ok(self.detect().await?.mode) })
    }

    fn publish<'a>(
        &'a self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Result<(), Refused>>, Error>> {
        Box::pin(self.publish_all(messages))
    }

    fn epoch<'a>(&'a self, topics: &'a [Topic]) -> BoxFuture<'a, Result<Epoch, Error>> {
        Box::pin(self.epoch_of(topics))
    }

    fn lag<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Lag, Error>> {
        Box::pin(self.lag_of(topic))
    }

    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
        group: &'a str,
        member: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>> {
        Box::pin(async move {
            let mut member = Member::new(self, topic, group, member);
            member.join().await?;
            Ok(Box::new(member) as Box<dyn Subscription>)
        })
    }

    fn trim<'a>(
        &'a self,
        topic: &'a Topic,
        before: OffsetDateTime,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let trimmed = self.trim_finished(topic, before).await?;
            self.remove_dead_consumers(topic).await?;
            Ok(trimmed)
        })
    }
}

impl fmt::Debug for RedisStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStreams")
            .field("key_prefix", &self.inner.key_prefix)
            .finish_non_exhaustive()
    }
}
