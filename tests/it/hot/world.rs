//! What the tests of the hot path begin with: a hot path, records, latches and answers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use oncely::config::Hot as Settings;
use oncely::domain::{Epoch, Fingerprint, Identity, Key, Operation, Response, Stored, Tenant};
use oncely::hot::{Acquired, Completed, Content, Envelope, Error, Hot, Latch, Status};
use oncely::shutdown::Tasks;
use oncely::testkit::{Redis, RedisOptions};
use redis::aio::MultiplexedConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A Redis of the test's own, because tests of the hot path hurt it.
pub(super) async fn redis() -> Redis {
    Redis::start(RedisOptions::default()).await.unwrap()
}

/// A port where nobody answers, until [`Redis::restart`].
pub(super) async fn absent_redis() -> Redis {
    let redis = redis().await;
    redis.kill().await.unwrap();
    redis
}

/// A connection of the test's own.
pub(super) async fn connect(redis: &Redis) -> MultiplexedConnection {
    let client = redis::Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Asks over a connection of the test's own: words are separated by blanks.
pub(super) async fn ask<T: redis::FromRedisValue>(redis: &Redis, words: &str) -> T {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|it| {
        command.arg(it);
    });
    let mut connection = connect(redis).await;
    command.query_async(&mut connection).await.unwrap()
}

/// A hot path with its background loop, which ends with the test's runtime.
pub(super) async fn hot(redis: &Redis) -> Hot {
    hot_with(redis, &settings()).await
}

pub(super) async fn hot_with(redis: &Redis, settings: &Settings) -> Hot {
    Hot::start(&redis.url().into(), settings, &Tasks::default())
        .await
        .unwrap()
}

/// The defaults, but for a timeout that a busy machine keeps too. What must be quick says so.
pub(super) fn settings() -> Settings {
    Settings {
        timeout: Duration::from_secs(2),
        ..Settings::default()
    }
}

pub(super) fn identity(key: &str) -> Identity {
    Identity::of(
        &Tenant::new("demo").unwrap(),
        &Operation::new("POST /charge").unwrap(),
        &Key::from_header([key.as_bytes()]).unwrap(),
    )
}

/// The key of a record, said here again so that a change of shape shows.
pub(super) fn redis_key(identity: &Identity) -> String {
    let digits = u128::from_be_bytes(identity.id());
    format!("oncely:r:{{{digits:032x}}}")
}

pub(super) fn latch() -> Envelope<Latch> {
    envelope(Latch {
        token: *Uuid::new_v4().as_bytes(),
        started_at: whole_second(),
        attempt: 1,
    })
}

pub(super) fn completed(body: &str) -> Envelope<Completed> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    envelope(Completed {
        stored: Stored::Whole(Response {
            status: StatusCode::CREATED,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }),
        completed_at: whole_second(),
        expires_at: whole_second() + Duration::from_hours(72),
    })
}

pub(super) fn whole_second() -> OffsetDateTime {
    let now = oncely::clock::now();
    now.replace_nanosecond(0).unwrap()
}

pub(super) fn held_latch(latch: &Envelope<Latch>) -> Acquired {
    Acquired::Held(held(latch, Content::Latch(latch.content)))
}

pub(super) fn held_answer(completed: &Envelope<Completed>) -> Acquired {
    let content = Content::Completed(completed.content.clone());
    Acquired::Held(held(completed, content))
}

/// Acquires with a latch of its own.
pub(super) async fn acquire(hot: &Hot, identity: &Identity) -> Result<Acquired, Error> {
    hot.acquire(identity, &latch()).await
}

/// Waits until the hot path serves again.
pub(super) async fn recovered(hot: &Hot, identity: &Identity) -> Acquired {
    let serves = async {
        loop {
            match acquire(hot, identity).await {
                Ok(acquired) if hot.status() == Status::Up => return acquired,
                // Recovery happens in a loop that tells nobody; asking is what a request does.
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), serves)
        .await
        .expect("the hot path serves again")
}

fn envelope<C>(content: C) -> Envelope<C> {
    Envelope {
        epoch: Epoch {
            number: 1,
            timeline: 1,
        },
        fingerprint: Fingerprint::from_bytes(&[7; Fingerprint::BYTES]).unwrap(),
        content,
    }
}

fn held<C>(envelope: &Envelope<C>, content: Content) -> Envelope {
    Envelope {
        epoch: envelope.epoch,
        fingerprint: envelope.fingerprint,
        content,
    }
}
