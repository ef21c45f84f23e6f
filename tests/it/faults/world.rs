//! What the fault tests share: the instants of an operation, Redis seen from outside, and how to
//! tell which tier an answer came from.

use oncely::domain::{Identity, Key, Operation, Tenant};
use oncely::failpoint::Arrival;
use oncely::hot::Status;
use oncely::testkit::{Database, Pair, Proxy, Redis};
use tokio::task::JoinSet;

use crate::harness::{App, Caller, Recipe, RedisChoice, Reply, migrated, until};

/// The steps of a transactional operation, in their order.
pub(super) const POINTS: [&str; 9] = [
    "store.transactional.before_latch",
    "store.transactional.after_latch",
    "store.transactional.after_begin",
    "store.transactional.after_acquire",
    "store.transactional.after_work",
    "store.transactional.before_commit",
    "store.transactional.after_commit",
    "store.transactional.before_publish",
    "store.transactional.after_publish",
];

/// The default recipe with a Redis of the test's own.
pub(super) fn on(redis: &Redis) -> Recipe {
    Recipe::default().redis(RedisChoice::At(redis.url().to_owned()))
}

/// An app that reaches a database of its own through a proxy.
pub(super) async fn behind_a_proxy(recipe: Recipe) -> (App, Proxy, Database) {
    let pair = Pair::shared().await.unwrap();
    let database = migrated(pair.postgres.url()).await;
    let proxy = Proxy::start(database.url()).await.unwrap();
    let recipe = recipe.database_at(database.url()).through(proxy.url());
    (Box::pin(App::made(recipe)).await, proxy, database)
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

/// A charge that is under way while the test does something else.
pub(super) struct Pending(JoinSet<reqwest::Result<Reply>>);

impl Pending {
    pub(super) fn charge(caller: &Caller, key: &str, amount: i64) -> Self {
        let (caller, key) = (caller.clone(), key.to_owned());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let body = crate::harness::charge_body(amount);
            let headers = [("idempotency-key", key.as_str())];
            caller
                .try_send(http::Method::POST, "/charge", &headers, &body)
                .await
        });
        Self(tasks)
    }

    /// Its answer.
    pub(super) async fn reply(self) -> Reply {
        self.outcome().await.unwrap()
    }

    /// Its answer, or how it ended without one.
    pub(super) async fn outcome(mut self) -> reqwest::Result<Reply> {
        self.0.join_next().await.unwrap().unwrap()
    }

    /// A charge that has arrived at `point` and waits there. A server that was away a moment ago
    /// may turn it away before; then it is sent again.
    pub(super) async fn held(app: &App, point: &str, key: &str, amount: i64) -> (Arrival, Self) {
        loop {
            let mut held = app.points.hold(point);
            let mut request = Self::charge(&app.caller(), key, amount);
            tokio::select! {
                is_there = held.arrived() => {
                    assert!(is_there);
                    return (held, request);
                }
                ended = request.0.join_next() => {
                    let reply = ended.unwrap().unwrap().unwrap();
                    assert!(matches!(reply.status, 409 | 503), "{point}: {reply:?}");
                }
            }
        }
    }

    /// Hangs up.
    pub(super) async fn hang_up(mut self) {
        self.0.shutdown().await;
    }
}

/// Waits until the hot path serves. Nobody but a request asks a Redis that has failed, so this
/// sends one: a charge of 7 million, once for each app.
pub(super) async fn hot_is_up(app: &App) {
    let caller = app.caller();
    until(|| async {
        assert_eq!(caller.charge("is it up", 7_000_000).await.status, 201);
        app.store.health().hot == Status::Up
    })
    .await;
}

/// What the ledger's answers end with once [`mark_ledger`] has been there.
const MARK: &str = " ";

/// Gives each stored answer in the ledger a mark, so that a replay shows which tier it came from.
pub(super) async fn mark_ledger(app: &App) {
    app.execute(&format!(
        "UPDATE oncely.records SET response_body = response_body || convert_to('{MARK}', 'UTF8')"
    ))
    .await;
}

/// Whether a replay came from the ledger rather than from Redis.
pub(super) fn is_marked(reply: &Reply) -> bool {
    assert_eq!(reply.idempotency_status(), "replayed", "{reply:?}");
    reply.body.ends_with(MARK.as_bytes())
}

/// Asserts that a new charge is replayed by Redis alone: the hot path is back.
pub(super) async fn hot_path_replays(app: &App, key: &str, amount: i64) {
    hot_is_up(app).await;
    let caller = app.caller();
    assert_eq!(caller.charge(key, amount).await.status, 201);
    mark_ledger(app).await;
    assert!(!is_marked(&caller.charge(key, amount).await), "{key}");
}
