//! A broker under test, and what its world does to it.

use std::time::Duration;

use oncely::broker::{Broker, Memory, RedisStreams};
use oncely::config::{self, BrokerDurability, Secret};
use oncely::domain::Topic;
use oncely::testkit::{Pair, Proxy, key_prefix};
use redis::AsyncCommands;

use crate::harness::redis_at;

/// A broker, and its faults.
pub(super) struct Stage {
    pub(super) broker: Box<dyn Broker>,
    world: World,
}

enum World {
    Memory(Memory),
    Redis(Redis),
}

struct Redis {
    url: String,
    prefix: String,
    proxy: Proxy,
}

impl Stage {
    pub(super) fn memory(redeliver_after: Duration) -> Self {
        let memory = Memory::new(redeliver_after);
        Self {
            broker: Box::new(memory.clone()),
            world: World::Memory(memory),
        }
    }

    /// Streams of its own on the Redis that all tests share, behind a proxy.
    pub(super) async fn redis_streams(redeliver_after: Duration) -> Self {
        let pair = Pair::shared().await.unwrap();
        let url = pair.redis.url().to_owned();
        let proxy = Proxy::start(&url).await.unwrap();
        let prefix = key_prefix();
        let broker = redis_streams(&proxy.url_for(&url).unwrap(), &prefix, redeliver_after);
        Self {
            broker: Box::new(broker),
            world: World::Redis(Redis { url, prefix, proxy }),
        }
    }

    /// The topic loses its messages and its groups.
    pub(super) async fn lose(&self, topic: &Topic) {
        match &self.world {
            World::Memory(memory) => memory.lose_everything(),
            World::Redis(it) => {
                let key = format!("{}s:{topic}", it.prefix);
                let n: u64 = redis_at(&it.url).await.del(key).await.unwrap();
                assert_eq!(n, 1, "the stream was not where it is expected");
            }
        }
    }

    /// From now on the topic takes no message.
    pub(super) async fn refuse(&self, topic: &Topic) {
        match &self.world {
            World::Memory(memory) => memory.refuse(topic, true),
            World::Redis(it) => {
                let key = format!("{}s:{topic}", it.prefix);
                let mut redis = redis_at(&it.url).await;
                redis.set::<_, _, ()>(key, "no stream").await.unwrap();
            }
        }
    }

    /// From now on nobody reaches the broker, or everybody does.
    pub(super) async fn set_down(&self, is_down: bool) {
        match &self.world {
            World::Memory(memory) => memory.set_down(is_down),
            World::Redis(it) if is_down => it.proxy.cut().await,
            World::Redis(it) => it.proxy.pass().await,
        }
    }
}

/// The broker on the Redis at `url`.
pub(super) fn redis_streams(url: &str, prefix: &str, redeliver_after: Duration) -> RedisStreams {
    let settings = settings(prefix);
    RedisStreams::connect(&Secret::new(url), &settings, redeliver_after).unwrap()
}

pub(super) fn settings(prefix: &str) -> config::Broker {
    config::Broker {
        url: None,
        key_prefix: prefix.to_owned(),
        durability: BrokerDurability::Auto,
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        breaker_failures: 3,
        breaker_pause: Duration::from_secs(1),
        keep: Duration::from_mins(10),
    }
}
