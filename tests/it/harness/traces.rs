//! What a request leaves behind: values in Redis under the app's prefix, rows in the ledger.

use std::collections::HashMap;

use oncely::testkit::Pair;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use sqlx::{Connection, PgConnection};

use super::App;

/// A stored answer as it lies in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct StoredRow {
    pub(crate) headers: Option<Vec<u8>>,
    pub(crate) body: Option<Vec<u8>>,
}

impl App {
    /// The values of all keys under the app's prefix.
    pub(crate) async fn redis_values(&self) -> Vec<Vec<u8>> {
        let mut redis = shared_redis().await;
        let mut values = Vec::new();
        for key in self.redis_keys(&mut redis).await {
            // It may have expired, or been taken away, since it was listed.
            values.extend(redis.get::<_, Option<Vec<u8>>>(key).await.unwrap());
        }
        values
    }

    /// Takes all keys under the app's prefix away: a flush that other tests do not notice.
    pub(crate) async fn flush_redis(&self) {
        let mut redis = shared_redis().await;
        for key in self.redis_keys(&mut redis).await {
            redis.del::<_, ()>(key).await.unwrap();
        }
    }

    async fn redis_keys(&self, redis: &mut MultiplexedConnection) -> Vec<String> {
        redis.keys(format!("{}*", self.key_prefix)).await.unwrap()
    }

    /// The ledger's answers, oldest first.
    pub(crate) async fn stored_rows(&self) -> Vec<StoredRow> {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        let rows = sqlx::query_as(
            "SELECT response_headers AS headers, response_body AS body FROM oncely.records \
             ORDER BY created_at",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        rows
    }

    /// Whether nothing at all was left behind: no record, no charge, no key in Redis.
    pub(crate) async fn is_untouched(&self) -> bool {
        self.n_records().await == 0
            && self.n_charges().await == 0
            && self.redis_values().await.is_empty()
    }
}

/// A connection to the Redis that all tests share, past the service under test.
pub(crate) async fn shared_redis() -> MultiplexedConnection {
    let pair = Pair::shared().await.unwrap();
    redis_at(pair.redis.url()).await
}

/// A connection to the Redis at `url`, past the service under test.
pub(crate) async fn redis_at(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// How many messages of the stream the Redis at `url` still has to deliver, or waits to be
/// acknowledged, over all groups; `None` where it does not answer now.
pub(crate) async fn n_undelivered(url: &str, stream: &str) -> Option<i64> {
    let client = redis::Client::open(url).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.ok()?;
    let mut asking = redis::cmd("XINFO");
    asking.arg("GROUPS").arg(stream);
    let groups: redis::RedisResult<Vec<HashMap<String, redis::Value>>> =
        asking.query_async(&mut redis).await;
    let number = |it: Option<&redis::Value>| match it {
        Some(redis::Value::Int(n)) => *n,
        _ => 0,
    };
    let groups = groups.unwrap_or_default();
    let open =
        |it: &HashMap<String, redis::Value>| number(it.get("lag")) + number(it.get("pending"));
    Some(groups.iter().map(open).sum())
}
