//! What these tests share: a request that is under way, and the servers seen from outside.

use oncely::domain::{Identity, Key, Operation, Tenant};
use oncely::failpoint::Arrival;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

use crate::harness::{App, Caller, Recipe, Reply, charge_body, until};

/// A charge that is under way while the test does something else.
pub(super) struct Pending(JoinSet<reqwest::Result<Reply>>);

impl Pending {
    /// `POST /charge`.
    pub(super) fn charge(caller: &Caller, key: &str, amount: i64) -> Self {
        Self::post(caller, "/charge", key, &charge_body(amount))
    }

    /// `POST` of a JSON body with a key.
    pub(super) fn post(caller: &Caller, path: &str, key: &str, body: &str) -> Self {
        let (caller, path) = (caller.clone(), path.to_owned());
        let (key, body) = (key.to_owned(), body.to_owned());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let headers = [("idempotency-key", key.as_str())];
            caller
                .try_send(http::Method::POST, &path, &headers, &body)
                .await
        });
        Self(tasks)
    }

    /// A charge that has arrived at `point` and waits there.
    pub(super) async fn held(app: &App, point: &str, key: &str, amount: i64) -> (Arrival, Self) {
        let mut held = app.points.hold(point);
        let request = Self::charge(&app.caller(), key, amount);
        assert!(held.arrived().await, "{point}");
        (held, request)
    }

    /// Its answer.
    pub(super) async fn reply(mut self) -> Reply {
        self.0.join_next().await.unwrap().unwrap().unwrap()
    }
}

/// The default recipe with a Redis that is given its time: on a loaded machine too, an attempt that
/// keeps nothing leaves no latch, and the next request need not ask about it.
pub(super) fn unhurried() -> Recipe {
    Recipe::default().with(|config| config.hot.timeout = std::time::Duration::from_secs(2))
}

/// The identity of a charge of tenant `demo`.
pub(super) fn identity(key: &str) -> Identity {
    Identity::of(
        &Tenant::new("demo").unwrap(),
        &Operation::new("POST /charge").unwrap(),
        &Key::from_header([key.as_bytes()]).unwrap(),
    )
}

/// Where Redis keeps the record of a charge of tenant `demo`.
pub(super) fn record_key(app: &App, key: &str) -> String {
    let digits = u128::from_be_bytes(identity(key).id());
    format!("{}r:{{{digits:032x}}}", app.key_prefix)
}

/// A connection to a Redis, past the app under test.
pub(super) async fn redis_at(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Sends a charge again until a Redis holds its first answer. Once is not enough where the hot path
/// was away a moment ago: what it could not be told then, the next replay tells it.
pub(super) async fn holds_answer(
    redis: &mut MultiplexedConnection,
    app: &App,
    (key, amount): (&str, i64),
    answer: &Reply,
) {
    let record = record_key(app, key);
    loop {
        let value: Option<Vec<u8>> = redis.get(&record).await.unwrap();
        let body = &answer.body[..];
        if value.is_some_and(|it| it.windows(body.len()).any(|part| part == body)) {
            return;
        }
        let replay = after_in_flight(&app.caller(), key, amount).await;
        assert_eq!(replay.essence(), answer.essence(), "{key}");
    }
}

/// A connection to a database, past the app under test.
pub(super) async fn session(database_url: &str) -> PgConnection {
    PgConnection::connect(database_url).await.unwrap()
}

/// Runs statements on a session that stays.
pub(super) async fn say(session: &mut PgConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(session).await.unwrap();
}

/// Waits until a session of this database waits for a lock.
pub(super) async fn somebody_waits_for_a_lock(app: &App) {
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(|| async { 0 < app.count(waiting).await }).await;
}

/// Sends the same charge again while it is told to wait, and returns the first other answer.
pub(super) async fn after_in_flight(caller: &Caller, key: &str, amount: i64) -> Reply {
    loop {
        let reply = caller.charge(key, amount).await;
        if reply.code() != "in-flight" {
            return reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
