//! A database, a processor and settings for one cell, on servers that all cells share.

use std::ffi::OsString;
use std::time::Duration;

use oncely::config::{self, Config, Secret, Sources};
use oncely::inbox::dead_letter::{self, Key as Letter};
use oncely::ledger::Ledger;
use oncely::testkit::{Database, Processor, Quirk, key_prefix};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use uuid::Uuid;

use super::story::Story;

/// The servers of a test, and a database with all tables to copy.
pub(super) struct Place {
    pub(super) server_url: String,
    pub(super) redis_url: String,
    pub(super) template: Database,
    /// Whether the server keeps its commits: `serve` takes no other.
    pub(super) is_durable: bool,
}

/// Short times, so that what takes seconds in production takes less.
const HURRIED: [(&str, &str); 36] = [
    ("ONCELY_HTTP_ADDR", "127.0.0.1:0"),
    ("ONCELY_ADMIN_ADDR", "127.0.0.1:0"),
    ("ONCELY_AUTH_TOKENS", "demo:demo-token"),
    (
        "ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET",
        "a secret of the tests' own",
    ),
    ("ONCELY_HTTP__REQUEST_TIMEOUT", "2500ms"),
    ("ONCELY_HTTP__DRAIN_TIMEOUT", "2500ms"),
    ("ONCELY_HOT__TRUST_WINDOW", "300ms"),
    ("ONCELY_HOT__LATCH_TTL", "3s"),
    ("ONCELY_HOT__CONNECTIONS", "1"),
    ("ONCELY_LEDGER__POOL_SIZE", "4"),
    ("ONCELY_LEDGER__OPERATION_TIMEOUT", "2s"),
    ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "2s"),
    ("ONCELY_LEDGER__ACQUIRE_TIMEOUT", "1900ms"),
    ("ONCELY_LEDGER__IDLE_IN_TRANSACTION_TIMEOUT", "1s"),
    ("ONCELY_LEDGER__EPOCH_INTERVAL", "300ms"),
    ("ONCELY_LEDGER__EPOCH_MAX_AGE", "3s"),
    ("ONCELY_LEDGER__PRUNE_INTERVAL", "500ms"),
    ("ONCELY_LEDGER__LEASE", "2500ms"),
    ("ONCELY_LEDGER__LEASE_RENEW_INTERVAL", "200ms"),
    ("ONCELY_LEDGER__RESCUE_INTERVAL", "1h"),
    ("ONCELY_PROCESSOR__TIMEOUT", "500ms"),
    ("ONCELY_OUTBOX__POOL_SIZE", "2"),
    ("ONCELY_OUTBOX__LEASE", "2s"),
    ("ONCELY_OUTBOX__FULL_SCAN_INTERVAL", "300ms"),
    ("ONCELY_OUTBOX__RECONCILE_AFTER", "2100ms"),
    ("ONCELY_OUTBOX__RECONCILE_INTERVAL", "400ms"),
    ("ONCELY_OUTBOX__EPOCH_INTERVAL", "300ms"),
    ("ONCELY_BROKER__BREAKER_PAUSE", "100ms"),
    ("ONCELY_BROKER__TIMEOUT", "1500ms"),
    ("ONCELY_INBOX__POOL_SIZE", "4"),
    ("ONCELY_INBOX__HANDLER_TIMEOUT", "1s"),
    ("ONCELY_INBOX__REDELIVER_AFTER", "1500ms"),
    ("ONCELY_INBOX__BACKOFF_BASE", "20ms"),
    ("ONCELY_INBOX__BACKOFF_MAX", "100ms"),
    ("ONCELY_INBOX__GAP_TIMEOUT", "300ms"),
    ("ONCELY_BROKER__DURABILITY", "auto"),
];

/// A Redis that nobody answers for: the service goes on without one.
const NO_REDIS: &str = "redis://127.0.0.1:1/0";

/// How long the processor of a long payment takes: two heartbeats.
const LONG: Duration = Duration::from_millis(450);

/// The source of all payments of a cell.
pub(super) const SOURCE: &str = "tok_visa";

/// The world of one cell.
pub(super) struct World {
    pub(super) story: Story,
    pub(super) database: Database,
    pub(super) processor: Processor,
    pub(super) redis_url: String,
    /// The prefix of the broker's keys, and of the hot path's.
    pub(super) prefix: String,
    variables: Vec<(String, String)>,
}

impl World {
    pub(super) async fn new(place: &Place, story: Story, has_redis: bool) -> Self {
        let template = place.template.name();
        let database = Database::from_template(&place.server_url, template)
            .await
            .unwrap();
        let processor = Processor::start(story != Story::PayUnknown).await.unwrap();
        if story == Story::PayUnknown {
            processor.script(SOURCE, [Quirk::HangUpAfterWork]);
        } else if story == Story::PayLong {
            processor.script(SOURCE, [Quirk::AnswerLate(LONG)]);
        }
        let prefix = key_prefix();
        let hot_url = if has_redis {
            &place.redis_url
        } else {
            NO_REDIS
        };
        let mut variables: Vec<(&str, &str)> = HURRIED.to_vec();
        let roles = if story.has_messages() {
            "api,relay,consumer"
        } else {
            "api"
        };
        variables.extend([
            ("ONCELY_DATABASE_URL", database.url()),
            ("ONCELY_REDIS_URL", hot_url),
            ("ONCELY_BROKER__URL", &place.redis_url),
            ("ONCELY_HOT__KEY_PREFIX", &prefix),
            ("ONCELY_BROKER__KEY_PREFIX", &prefix),
            ("ONCELY_ROLES", roles),
        ]);
        if story.is_payment() {
            variables.push(("ONCELY_PROCESSOR__URL", processor.url()));
        }
        if !place.is_durable {
            variables.push(("ONCELY_LEDGER__ALLOW_UNSAFE_DURABILITY", "true"));
        }
        // What the story says is laid over the rest.
        variables.retain(|it| story.settings().iter().all(|own| own.0 != it.0));
        variables.extend(story.settings());
        let own = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
        let variables = variables.iter().map(own).collect();
        let world = Self {
            story,
            processor,
            redis_url: place.redis_url.clone(),
            prefix,
            variables,
            database,
        };
        let stock =
            "INSERT INTO public.inventory (tenant, sku, available) VALUES ('demo', 'sku-1', 9)";
        world.execute(stock).await;
        if story.is_broken() {
            // New rows are refused by an error that does not pass by itself.
            let refuse =
                "ALTER TABLE public.receipts ADD CONSTRAINT broken CHECK (false) NOT VALID";
            world.execute(refuse).await;
        }
        world
    }

    /// The settings as variables, as a child process gets them.
    pub(super) fn variables(&self) -> Vec<(&str, &str)> {
        let pairs = self.variables.iter();
        pairs.map(|it| (it.0.as_str(), it.1.as_str())).collect()
    }

    /// The same settings for a process that is in the test's own.
    pub(super) fn config(&self) -> Config {
        let pair = |it: &(String, String)| (OsString::from(&it.0), OsString::from(&it.1));
        let sources = Sources {
            environment: self.variables.iter().map(pair).collect(),
            ..Sources::default()
        };
        config::load(sources).unwrap().config
    }

    /// Lets the consumer do what it could not.
    pub(super) async fn heal(&self) {
        let heal = "ALTER TABLE public.receipts DROP CONSTRAINT IF EXISTS broken";
        self.execute(heal).await;
    }

    /// Gives every dead letter another chance, as an operator does. False where the database was slow.
    pub(super) async fn redrive(&self) -> bool {
        let rows =
            self.rows("SELECT consumer, tenant, id FROM oncely.dead_letter WHERE state = 'dead'");
        let letter = |row: &PgRow| Letter {
            consumer: row.get(0),
            tenant: row.get(1),
            id: row.get::<Uuid, _>(2),
        };
        let letters: Vec<Letter> = rows.await.iter().map(letter).collect();
        let ledger = self.ledger();
        let driven = dead_letter::redrive(&ledger, &letters, "ada", "the table is repaired").await;
        ledger.close().await;
        driven.is_ok()
    }

    pub(super) fn ledger(&self) -> Ledger {
        let config = self.config();
        let url = Secret::new(self.database.url());
        Ledger::new(&url, &config.ledger, config.idempotency.retention).unwrap()
    }

    pub(super) async fn rows(&self, statement: &str) -> Vec<PgRow> {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .fetch_all(&mut books)
            .await;
        books.close().await.unwrap();
        rows.unwrap()
    }

    pub(super) async fn count(&self, statement: &str) -> i64 {
        self.rows(statement).await[0].get(0)
    }

    pub(super) async fn execute(&self, statement: &str) {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut books)
            .await;
        done.unwrap();
        books.close().await.unwrap();
    }
}
