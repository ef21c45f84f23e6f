//! The process killed by SIGKILL at each phase of a payment, its successor, and the processor's books.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use oncely::config::Config;
use oncely::ledger::{Finding, Ledger, Resolve};
use oncely::testkit::{Database, Pair, Postgres, PostgresOptions, Processor, key_prefix};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};

use super::world::{body, lease, pay, row_at};
use crate::harness::{Caller, Process, Reply, migrated, run, until};

/// The steps of a payment, in their order.
const POINTS: [&str; 6] = [
    "after_claim",
    "after_phase",
    "before_call",
    "after_call",
    "before_complete",
    "after_complete",
];

const LEASE: Duration = Duration::from_millis(2500);

/// What a busy machine may add to the end of a lease.
const MARGIN: Duration = Duration::from_secs(3);

/// A Redis that nobody answers for: the service goes on without one.
const NO_REDIS: &str = "redis://127.0.0.1:1/0";

struct World {
    _postgres: Postgres,
    database: Database,
    processor: Processor,
    redis_url: String,
    key_prefix: String,
    accepts_keys: bool,
}

impl World {
    async fn new(accepts_keys: bool, has_redis: bool) -> Self {
        // A durable one of its own: `serve` takes no other.
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let pair = Pair::shared().await.unwrap();
        Self {
            database: migrated(postgres.url()).await,
            _postgres: postgres,
            processor: Processor::start(accepts_keys).await.unwrap(),
            redis_url: if has_redis {
                pair.redis.url().to_owned()
            } else {
                NO_REDIS.to_owned()
            },
            key_prefix: key_prefix(),
            accepts_keys,
        }
    }

    fn serve(&self, fail_points: &str) -> Process {
        // Not the rescuer, but the client's retry is to be seen.
        self.serve_with(fail_points, "1h")
    }

    fn serve_with(&self, fail_points: &str, rescue_interval: &str) -> Process {
        let accepts_keys = self.accepts_keys.to_string();
        let variables = [
            ("ONCELY_FAILPOINTS", fail_points),
            ("ONCELY_HOT__KEY_PREFIX", &self.key_prefix),
            ("ONCELY_PROCESSOR__URL", self.processor.url()),
            ("ONCELY_PROCESSOR__ACCEPTS_KEYS", &accepts_keys),
            ("ONCELY_PROCESSOR__TIMEOUT", "500ms"),
            ("ONCELY_LEDGER__LEASE", "2500ms"),
            ("ONCELY_LEDGER__LEASE_RENEW_INTERVAL", "500ms"),
            ("ONCELY_LEDGER__OPERATION_TIMEOUT", "2400ms"),
            ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "2s"),
            ("ONCELY_LEDGER__RESCUE_INTERVAL", rescue_interval),
            ("ONCELY_LEDGER__EPOCH_MAX_AGE", "3s"),
        ];
        Process::serve(self.database.url(), &self.redis_url, &variables)
    }

    async fn count(&self, of: &str) -> i64 {
        let mut connection = PgConnection::connect(self.database.url()).await.unwrap();
        let statement = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {of}"));
        let count = sqlx::query_scalar(statement)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        count
    }

    /// Says what the processor's books say.
    async fn resolve(&self, key: &str, source: &str) {
        let settings = Config::default();
        let url = self.database.url().into();
        let ledger = Ledger::new(&url, &settings.ledger, settings.idempotency.retention).unwrap();
        let row = row_at(self.database.url(), key).await.unwrap();
        let finding = match &self.processor.charges_of(source)[..] {
            [] => Finding::DidNotHappen,
            [charge, ..] => Finding::Happened(json!({"succeeded": {"reference": charge.id}})),
        };
        let resolve = Resolve {
            seen: lease(key, row.attempt),
            finding,
            who: "ada".to_owned(),
            why: "the processor's books".to_owned(),
        };
        let resolved = ledger.resolve(&resolve).await.unwrap();
        assert_eq!(resolved, oncely::ledger::Fenced::Done(()));
        ledger.close().await;
    }
}

/// Retries until the 409s of the dead one's lease are over, which they are in time.
async fn retry(caller: &Caller, key: &str, source: &str, died_at: Instant) -> Reply {
    loop {
        let reply = pay(caller, key, source).await;
        if reply.code() != "in-flight" {
            return reply;
        }
        assert!(died_at.elapsed() < LEASE + MARGIN, "the 409s go on");
        sleep(Duration::from_millis(100)).await;
    }
}

/// What the successor may say, and how many charges there are then.
fn expected(point: &str, accepts_keys: bool) -> (&'static str, usize) {
    match point {
        "after_complete" => ("replayed", 1),
        // Its key is stored, and nobody can see on which side of the call it died.
        "after_phase" | "before_call" if !accepts_keys => ("unknown", 0),
        "after_call" if !accepts_keys => ("unknown", 1),
        _ => ("created", 1),
    }
}

async fn at_every_phase(accepts_keys: bool, has_redis: bool) {
    let world = World::new(accepts_keys, has_redis).await;
    for (n, point) in (1_i64..).zip(POINTS) {
        let (key, source) = (format!("k-{n}"), format!("tok_{point}"));
        let mut first = world.serve(&format!("store.leased.{point}=abort"));
        let caller = first.caller().await;
        let headers = [("idempotency-key", key.as_str())];
        let payload = body(&source);
        let paying = caller.try_send(http::Method::POST, "/payments", &headers, &payload);
        assert!(paying.await.is_err(), "{point}: it died");
        let died_at = Instant::now();
        let (status, ..) = first.ended().await;
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{point}");

        let mut second = world.serve("");
        let caller = second.caller().await;
        let reply = retry(&caller, &key, &source, died_at).await;
        let (status, n_charges) = expected(point, accepts_keys);
        assert_eq!(reply.idempotency_status(), status, "{point}: {reply:?}");
        let charges = world.processor.charges_of(&source);
        assert_eq!(charges.len(), n_charges, "{point}");
        if status == "unknown" {
            assert_eq!(reply.code(), "operation-unknown", "{point}");
            world.resolve(&key, &source).await;
        }
        let done = pay(&caller, &key, &source).await;
        assert_eq!(done.status, 201, "{point}: {done:?}");
        let again = pay(&caller, &key, &source).await;
        assert_eq!(again.idempotency_status(), "replayed", "{point}");
        assert_eq!(again.essence(), done.essence(), "{point}");
        // The books, ours and theirs.
        let [charge] = &world.processor.charges_of(&source)[..] else {
            panic!("one charge, after {point}");
        };
        assert_eq!(done.json()["id"], charge.reference.as_str(), "{point}");
        let keys = world.processor.seen(&source).into_iter().map(|it| it.key);
        let keys: std::collections::BTreeSet<_> = keys.collect();
        assert_eq!(keys.len(), 1, "{point}: one key, however often sent");
        assert_eq!(world.count("public.payments").await, n, "{point}");
        assert_eq!(world.count("oncely.outbox_event").await, n, "{point}");
        second.signal(Signal::SIGTERM);
        assert!(second.ended().await.0.success());
    }
}

#[test]
fn what_a_killed_process_left_half_done_is_done_without_its_client() {
    run(async {
        let world = World::new(true, true).await;
        let mut first = world.serve("store.leased.after_call=abort");
        let caller = first.caller().await;
        let (headers, payload) = ([("idempotency-key", "k-1")], body("tok_gone"));
        let paying = caller.try_send(http::Method::POST, "/payments", &headers, &payload);
        assert!(paying.await.is_err());
        drop(first);
        let mut second = world.serve_with("", "200ms");
        let caller = second.caller().await;
        until(|| async {
            let row = row_at(world.database.url(), "k-1").await.unwrap();
            row.state == "completed"
        })
        .await;
        let [charge] = &world.processor.charges_of("tok_gone")[..] else {
            panic!("one charge");
        };
        assert_eq!(world.processor.seen("tok_gone").len(), 2);
        assert_eq!(world.count("oncely.outbox_event").await, 1);
        let reply = pay(&caller, "k-1", "tok_gone").await;
        assert_eq!(reply.idempotency_status(), "replayed");
        assert_eq!(reply.json()["processor_reference"], charge.id.as_str());
    });
}

#[test]
fn killed_at_any_phase_a_processor_that_takes_keys_charges_once() {
    run(async { at_every_phase(true, true).await });
}

#[test]
fn killed_at_any_phase_a_processor_that_takes_keys_charges_once_without_redis() {
    run(async { at_every_phase(true, false).await });
}

#[test]
fn killed_at_any_phase_a_processor_without_keys_is_asked_once_and_an_operator_once() {
    run(async { at_every_phase(false, true).await });
}

#[test]
fn killed_at_any_phase_a_processor_without_keys_is_asked_once_without_redis() {
    run(async { at_every_phase(false, false).await });
}
