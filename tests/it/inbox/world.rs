//! A ledger, a broker in memory, and a consumer that does what a test tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use oncely::broker::{Broker, Memory};
use oncely::config::{self, Config, Secret};
use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::failpoint::FailPoints;
use oncely::inbox::{ApplyError, Consumer, Runner};
use oncely::ledger::{Ledger, Tx};
use oncely::testkit::{Database, Pair};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{migrated, until};

pub(super) const TOPIC: &str = "order.changed";

/// No effects.
pub(super) const NOTHING: [Uuid; 0] = [];

/// What a consumer does with a message, the nth time it gets it (from 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Apply,
    Refuse,
    Panic,
    Hang,
    /// Writes, and then fails with this `SQLSTATE`.
    Raise(&'static str),
    /// Meets an error of the database, and says that all is well.
    PassOver,
    /// Violates a constraint that is checked at COMMIT.
    ViolateLate,
}

type Script = Box<dyn Fn(&Message, u32) -> Act + Send + Sync>;

/// A consumer by a script. It notes each effect in `public.effects`, without a unique constraint.
pub(super) struct Probe {
    script: Script,
    calls: Mutex<HashMap<Uuid, u32>>,
}

#[derive(Debug, thiserror::Error)]
#[error("apply an order")]
struct NotApplied(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Probe {
    pub(super) fn new(script: impl Fn(&Message, u32) -> Act + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            calls: Mutex::default(),
        })
    }

    /// How often it was given the message.
    pub(super) fn calls(&self, message: &Message) -> u32 {
        let calls = self.calls.lock().unwrap();
        calls.get(&message.id).copied().unwrap_or(0)
    }

    fn count(&self, message: &Message) -> u32 {
        let mut calls = self.calls.lock().unwrap();
        let n = calls.entry(message.id).or_default();
        *n += 1;
        *n
    }
}

impl Consumer for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn topic(&self) -> Topic {
        Topic::new(TOPIC).unwrap()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        let act = (self.script)(message, self.count(message));
        Box::pin(async move {
            let note = "INSERT INTO public.effects (id, seq, payload) VALUES ($1, $2, $3)";
            sqlx::query(note)
                .bind(message.id)
                .bind(message.seq)
                .bind(&message.payload[..])
                .execute(&mut **tx)
                .await?;
            match act {
                Act::Apply => Ok(()),
                Act::Refuse => Err(NotApplied("no such order".into()).into()),
                Act::Panic => panic!("an order that panics"),
                Act::Hang => std::future::pending().await,
                Act::Raise(code) => {
                    let raise = format!("DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$");
                    let raised = sqlx::query(AssertSqlSafe(raise)).execute(&mut **tx).await;
                    Err(NotApplied(raised.unwrap_err().into()).into())
                }
                Act::PassOver => {
                    let failed = sqlx::query("SELECT 1 / 0").execute(&mut **tx).await;
                    assert!(failed.is_err());
                    Ok(())
                }
                Act::ViolateLate => {
                    let late = "INSERT INTO public.late (n) VALUES (1), (1)";
                    sqlx::query(late).execute(&mut **tx).await?;
                    Ok(())
                }
            }
        })
    }
}

/// A world of one test.
pub(super) struct World {
    pub(super) database: Database,
    pub(super) ledger: Ledger,
    pub(super) broker: Memory,
    pub(super) points: FailPoints,
    pub(super) settings: config::Inbox,
    runners: JoinSet<()>,
    stop: CancellationToken,
    n_members: usize,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::redelivering_after(Duration::from_mins(1)).await
    }

    pub(super) async fn redelivering_after(idle: Duration) -> Self {
        let pair = Pair::shared().await.unwrap();
        let database = migrated(pair.postgres.url()).await;
        let mut settings = Config::default().inbox;
        settings.backoff_base = Duration::from_millis(2);
        settings.backoff_max = Duration::from_millis(20);
        settings.gap_timeout = Duration::from_millis(100);
        settings.handler_timeout = Duration::from_secs(5);
        settings.attempts_max = 3;
        let world = Self {
            ledger: ledger_at(database.url()),
            database,
            broker: Memory::new(idle),
            points: FailPoints::default(),
            settings,
            runners: JoinSet::new(),
            stop: CancellationToken::new(),
            n_members: 0,
        };
        world
            .execute(
                "CREATE TABLE public.effects
                    (n bigint GENERATED ALWAYS AS IDENTITY, id uuid, seq bigint, payload bytea);
                 CREATE TABLE public.late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
            )
            .await;
        world
    }

    /// Has the ledger reached through a proxy.
    pub(super) fn through(&mut self, url: &str) {
        self.ledger = ledger_at(url);
    }

    /// Starts another runner.
    pub(super) fn run(&mut self, consumer: &Arc<Probe>) {
        let runner = self.runner(Arc::clone(consumer) as Arc<dyn Consumer>);
        self.runners.spawn(runner.run(self.stop.clone()));
    }

    /// A runner that the test runs by itself.
    pub(super) fn runner(&mut self, consumer: Arc<dyn Consumer>) -> Runner {
        self.n_members += 1;
        Runner::new(
            self.ledger.clone(),
            Arc::new(self.broker.clone()),
            consumer,
            self.settings.clone(),
            self.points.clone(),
            format!("member-{}", self.n_members),
        )
    }

    /// Ends all runners as a crash does: wherever they are.
    pub(super) async fn crash(&mut self) {
        self.runners.shutdown().await;
    }

    /// Ends all runners as a shutdown does.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.runners.join_next().await {
            ended.unwrap();
        }
        self.stop = CancellationToken::new();
    }

    pub(super) async fn publish(&self, messages: &[Message]) {
        let published = self.broker.publish(messages).await.unwrap();
        assert!(published.iter().all(Result::is_ok));
    }

    /// Waits until this many rows of the inbox are done.
    pub(super) async fn until_done(&self, n: i64) {
        let done = "SELECT count(*) FROM oncely.inbox WHERE state = 'done'";
        until(|| async { self.count(done).await == n }).await;
    }

    /// Waits until the broker has nothing that was given out and not acknowledged.
    pub(super) async fn until_acknowledged(&self) {
        let topic = Topic::new(TOPIC).unwrap();
        until(|| async { self.broker.held(&topic, "probe").is_empty() }).await;
    }

    pub(super) async fn until_letters(&self, n: i64) {
        let letters = "SELECT count(*) FROM oncely.dead_letter WHERE state = 'dead'";
        until(|| async { self.count(letters).await == n }).await;
    }

    /// The effects there are, in the order in which they were made.
    pub(super) async fn effects(&self) -> Vec<Uuid> {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        sqlx::query_scalar("SELECT id FROM public.effects ORDER BY n")
            .fetch_all(&mut books)
            .await
            .unwrap()
    }

    /// What waits: id, reason and attempts.
    pub(super) async fn waiting(&self) -> Vec<(Uuid, String, i32)> {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        sqlx::query_as("SELECT id, reason, attempts FROM oncely.inbox_waiting ORDER BY seq, id")
            .fetch_all(&mut books)
            .await
            .unwrap()
    }

    /// What the inbox has: id and state.
    pub(super) async fn inbox(&self) -> Vec<(Uuid, String)> {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        sqlx::query_as("SELECT id, state FROM oncely.inbox ORDER BY id")
            .fetch_all(&mut books)
            .await
            .unwrap()
    }

    pub(super) async fn count(&self, statement: &str) -> i64 {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_one(&mut books)
            .await
            .unwrap()
    }

    pub(super) async fn execute(&self, statement: &str) {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut books)
            .await
            .unwrap();
    }
}

fn ledger_at(url: &str) -> Ledger {
    let mut config = Config::default();
    config.ledger.acquire_timeout = Duration::from_secs(5);
    let retention = config.idempotency.retention;
    Ledger::new(&Secret::new(url), &config.ledger, retention).unwrap()
}

/// The first event of an aggregate of its own.
pub(super) fn message(payload: &str) -> Message {
    follower(&Uuid::now_v7().to_string(), 1, None, payload)
}

/// An event of an aggregate, after another one.
pub(super) fn follower(
    aggregate: &str,
    seq: i64,
    previous: Option<&Message>,
    payload: &str,
) -> Message {
    let tenant = Tenant::new("demo").unwrap();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    Message {
        id: Uuid::now_v7(),
        topic: Topic::new(TOPIC).unwrap(),
        aggregate: Aggregate::new(tenant, "order", aggregate).unwrap(),
        seq,
        previous: previous.map(|it| it.id),
        headers: [("traceparent".to_owned(), trace.to_owned())].into(),
        payload: payload.as_bytes().to_vec().into(),
        created_at: time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
    }
}

/// The ids of messages, in their order.
pub(super) fn ids(messages: &[Message]) -> Vec<Uuid> {
    messages.iter().map(|it| it.id).collect()
}

/// A script for messages by their payload; all others are applied.
pub(super) fn when(payload: &'static str, act: Act) -> impl Fn(&Message, u32) -> Act {
    move |message, _| {
        if message.payload == payload.as_bytes() {
            act
        } else {
            Act::Apply
        }
    }
}
