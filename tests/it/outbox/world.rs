//! A database, a broker in memory, and relays on them that are quick to notice.

use std::sync::Arc;
use std::time::Duration;

use oncely::broker::{Broker, Memory};
use oncely::config::{Config, Secret};
use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::failpoint::FailPoints;
use oncely::ledger::{Ledger, Tx};
use oncely::outbox::{self, Event, LockedAggregate, Relay};
use oncely::shutdown::Tasks;
use oncely::testkit::{Database, Pair};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row, SqlSafeStr};
use uuid::Uuid;

use crate::harness::{migrated, until};

/// What a relay is allowed to take for its end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The database and the broker of one test.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) broker: Memory,
    pub(crate) config: Config,
    pub(crate) database: Database,
}

/// A relay that runs.
pub(crate) struct Running {
    pub(crate) tasks: Tasks,
    pub(crate) points: FailPoints,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let pair = Pair::shared().await.unwrap();
        let database = migrated(pair.postgres.url()).await;
        let mut config = Config::default();
        config.outbox.full_scan_interval = Duration::from_millis(100);
        config.outbox.reconcile_after = Duration::from_millis(300);
        config.outbox.reconcile_interval = Duration::from_millis(100);
        config.outbox.epoch_interval = Duration::from_millis(50);
        config.broker.breaker_pause = Duration::from_millis(50);
        change(&mut config);
        let ledger = ledger(&database, &config);
        let broker = Memory::new(Duration::from_secs(30));
        Self {
            ledger,
            broker,
            config,
            database,
        }
    }

    /// A relay with fail points of its own, in a process of its own as far as wake-ups go.
    pub(crate) fn relay(&self, name: &str) -> Running {
        self.relay_to(name, Arc::new(self.broker.clone()), |_| ())
    }

    /// One whose fail points are armed before it starts, to another broker.
    pub(crate) fn relay_to(
        &self,
        name: &str,
        broker: Arc<dyn Broker>,
        arm: impl FnOnce(&FailPoints),
    ) -> Running {
        let (tasks, points) = (Tasks::default(), FailPoints::default());
        arm(&points);
        let relay = Relay::new(
            ledger(&self.database, &self.config),
            broker,
            self.config.outbox.clone(),
            self.config.broker.clone(),
            points.clone(),
            name.to_owned(),
        );
        relay.keeping_inbox(self.config.inbox.clone()).start(&tasks);
        Running { tasks, points }
    }

    /// Enqueues one event of aggregate `id` and commits it.
    pub(crate) async fn enqueue(&self, id: &str, payload: &str) -> Uuid {
        let mut tx = self.ledger.begin().await.unwrap();
        let event = enqueue(&mut tx, id, "order.changed", payload).await;
        self.ledger.commit(tx).await.unwrap();
        event
    }

    /// The ids of what the broker has.
    pub(crate) fn published(&self) -> Vec<Uuid> {
        self.messages().iter().map(|it| it.id).collect()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.broker.messages(&topic("order.changed"))
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let mut books = self.books().await;
        sqlx::query_scalar(sql).fetch_one(&mut books).await.unwrap()
    }

    pub(crate) async fn rows(&self, sql: &'static str) -> Vec<PgRow> {
        let mut books = self.books().await;
        sqlx::query(sql).fetch_all(&mut books).await.unwrap()
    }

    pub(crate) async fn execute(&self, sql: impl SqlSafeStr) {
        let mut books = self.books().await;
        sqlx::raw_sql(sql).execute(&mut books).await.unwrap();
    }

    pub(crate) async fn books(&self) -> PgConnection {
        PgConnection::connect(self.database.url()).await.unwrap()
    }

    pub(crate) async fn n_pending(&self) -> i64 {
        self.count("SELECT count(*) FROM oncely.outbox_pending")
            .await
    }

    /// Waits until nothing is pending.
    pub(crate) async fn drained(&self) {
        until(|| async { self.n_pending().await == 0 }).await;
    }

    /// Somebody who has to have all events, as its registration would say.
    pub(crate) async fn consumer(&self) {
        let sql = "INSERT INTO oncely.inbox_consumer (consumer, topic, since)
                   VALUES ('ledger', 'order.changed', '-infinity')";
        self.execute(sql).await;
    }

    /// What that consumer's inbox would hold once it has applied `id`.
    pub(crate) async fn confirm(&self, id: Uuid) {
        let mut books = self.books().await;
        let sql = "INSERT INTO oncely.inbox (id, consumer, tenant, state)
                   VALUES ($1, 'ledger', 'demo', 'done')";
        let insert = sqlx::query(sql).bind(id);
        insert.execute(&mut books).await.unwrap();
    }

    /// Who holds how many shards by an unexpired lease, by name.
    pub(crate) async fn shares(&self) -> Vec<(String, i64)> {
        let sql = "SELECT owner_name, count(*) AS n FROM oncely.outbox_shard
                   WHERE clock_timestamp() < lease_until GROUP BY owner_name ORDER BY owner_name";
        let rows = self.rows(sql).await;
        rows.iter().map(|it| (it.get(0), it.get(1))).collect()
    }
}

impl Running {
    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(self) {
        assert!(self.tasks.drain(PATIENCE).await, "the relay did not end");
    }
}

/// Another handle on the same database, as another process would have it.
pub(crate) fn ledger(database: &Database, config: &Config) -> Ledger {
    let url = Secret::new(database.url());
    Ledger::new(&url, &config.ledger, config.idempotency.retention).unwrap()
}

pub(crate) fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

pub(crate) fn aggregate(id: &str) -> Aggregate {
    Aggregate::new(Tenant::new("demo").unwrap(), "order", id).unwrap()
}

pub(crate) async fn enqueue(tx: &mut Tx, id: &str, name: &str, payload: &str) -> Uuid {
    let mut locked = LockedAggregate::lock(tx, aggregate(id)).await.unwrap();
    let event = Event::new(topic(name), payload.to_owned()).header("of", id);
    outbox::enqueue(tx, &mut locked, event).await.unwrap()
}
