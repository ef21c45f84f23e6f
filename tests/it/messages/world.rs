//! The whole path: processes of the real binary on a Redis and a database of the test's own, and the
//! books, which say of each charge whether it took effect once in each consumer.

use std::time::Duration;

use oncely::testkit::{
    Backend, Database, Pair, Postgres, PostgresOptions, Proxy, Redis, RedisOptions,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::{Caller, Process, migrated, n_undelivered};

/// Short times, so that a test meets what takes minutes in production.
const HURRIED: [(&str, &str); 17] = [
    ("ONCELY_LEDGER__OPERATION_TIMEOUT", "1500ms"),
    ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "1500ms"),
    ("ONCELY_LEDGER__ACQUIRE_TIMEOUT", "1s"),
    ("ONCELY_BROKER__TIMEOUT", "700ms"),
    ("ONCELY_BROKER__BREAKER_PAUSE", "100ms"),
    ("ONCELY_BROKER__KEY_PREFIX", "t:"),
    ("ONCELY_OUTBOX__LEASE", "1s"),
    ("ONCELY_OUTBOX__FULL_SCAN_INTERVAL", "300ms"),
    ("ONCELY_OUTBOX__RECONCILE_AFTER", "2s"),
    ("ONCELY_OUTBOX__RECONCILE_INTERVAL", "200ms"),
    ("ONCELY_OUTBOX__EPOCH_INTERVAL", "100ms"),
    ("ONCELY_INBOX__HANDLER_TIMEOUT", "1s"),
    ("ONCELY_INBOX__REDELIVER_AFTER", "1500ms"),
    ("ONCELY_INBOX__BACKOFF_BASE", "20ms"),
    ("ONCELY_INBOX__BACKOFF_MAX", "100ms"),
    ("ONCELY_INBOX__GAP_TIMEOUT", "300ms"),
    ("ONCELY_INBOX__ATTEMPTS_MAX", "3"),
];

/// What is wrong with a charge: it lacks an effect, has one twice, or its journal does not balance.
const WRONG: &str = "
SELECT c.id || ': ' || j.n || ' lines that differ by ' || j.difference || ', ' || r.n
    || ' receipts, ' || s.n || ' reservations'
FROM public.charges AS c,
LATERAL (SELECT count(*) AS n, coalesce(sum(
        CASE direction WHEN 'debit' THEN amount ELSE -amount END), 0) AS difference,
    coalesce(bool_and(amount = c.amount AND currency = c.currency), false) AS is_same
    FROM public.journal_entries WHERE tenant = c.tenant AND charge_id = c.id) AS j,
LATERAL (SELECT count(*) AS n FROM public.receipts
    WHERE tenant = c.tenant AND charge_id = c.id) AS r,
LATERAL (SELECT count(*) AS n FROM public.reservations
    WHERE tenant = c.tenant AND charge_id = c.id AND sku = c.sku AND quantity = c.quantity
        AND status = 'reserved') AS s
WHERE j.n <> 2 OR j.difference <> 0 OR NOT j.is_same OR r.n <> 1 OR s.n <> 1";

/// How many effects there are whose charge there is not.
const ORPHANS: &str = "
SELECT count(*) FROM (
    SELECT tenant, charge_id FROM public.journal_entries
    UNION ALL SELECT tenant, charge_id FROM public.receipts
    UNION ALL SELECT tenant, charge_id FROM public.reservations) AS effect
WHERE NOT EXISTS (SELECT FROM public.charges AS c
    WHERE c.tenant = effect.tenant AND c.id = effect.charge_id)";

/// How many charges lack an effect yet.
const UNFINISHED: &str = "
SELECT count(*) FROM public.charges AS c
WHERE NOT EXISTS (SELECT FROM public.journal_entries WHERE tenant = c.tenant AND charge_id = c.id)
    OR NOT EXISTS (SELECT FROM public.receipts WHERE tenant = c.tenant AND charge_id = c.id)
    OR NOT EXISTS (SELECT FROM public.reservations WHERE tenant = c.tenant AND charge_id = c.id)";

/// How many of the stock there is to begin with.
const STOCK: i64 = 1_000_000;

/// A Redis and a database of the test's own.
pub(super) struct World {
    pub(super) redis: Redis,
    pub(super) database: Database,
    /// The server of the database, where it is the test's own.
    pub(super) _postgres: Option<Postgres>,
    /// What the processes know Redis by: a name that can be moved.
    pub(super) name: Proxy,
}

impl World {
    /// With a Redis that is started with these arguments, and a Postgres that keeps its commits:
    /// `serve` takes no other.
    pub(super) async fn start<const N: usize>(arguments: [&str; N]) -> Self {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        Self::on(database, Some(postgres), arguments).await
    }

    /// On the Postgres that tests share, for relays and consumers in the test's own process.
    pub(super) async fn shared() -> Self {
        let pair = Pair::shared().await.unwrap();
        Self::on(migrated(pair.postgres.url()).await, None, []).await
    }

    async fn on<const N: usize>(
        database: Database,
        postgres: Option<Postgres>,
        arguments: [&str; N],
    ) -> Self {
        let options = RedisOptions::with(arguments);
        let redis = Redis::start_on(Backend::Local, options).await.unwrap();
        let name = Proxy::start(redis.url()).await.unwrap();
        let world = Self {
            redis,
            database,
            _postgres: postgres,
            name,
        };
        let stock = format!(
            "INSERT INTO public.inventory (tenant, sku, available) VALUES ('demo', 'sku-1', {STOCK})"
        );
        world.execute(&stock).await;
        world
    }

    /// `oncely serve` with these roles.
    pub(super) fn serve(&self, roles: &str, variables: &[(&str, &str)]) -> Process {
        let mut all = HURRIED.to_vec();
        all.push(("ONCELY_ROLES", roles));
        all.extend_from_slice(variables);
        Process::serve(self.database.url(), self.name.url(), &all)
    }

    /// Makes charges `first` to `last`, side by side, each by its own key and amount, and sends each
    /// again until it is answered.
    pub(super) async fn charge(&self, caller: &Caller, first: i64, last: i64) {
        let one = async |amount: i64| {
            let body = format!(
                r#"{{"amount": {amount}, "currency": "USD", "source": "tok_visa", "sku": "sku-1", "quantity": 1}}"#
            );
            let key = format!("k-{amount}");
            loop {
                let reply = caller.post("/charge", &key, &body).await;
                if reply.status == 201 {
                    return;
                }
                assert!(matches!(reply.status, 409 | 503), "{reply:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let amounts: Vec<i64> = (first..=last).collect();
        for some in amounts.chunks(16) {
            futures_util::future::join_all(some.iter().map(|it| one(*it))).await;
        }
    }

    /// Waits until each charge has its effect in each consumer.
    pub(super) async fn effects(&self) {
        while self.count(UNFINISHED).await != 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the relay has confirmed everything, and no message is left to be delivered.
    pub(super) async fn quiet(&self) {
        let open = "SELECT (SELECT count(*) FROM oncely.outbox_pending) \
                    + (SELECT count(*) FROM oncely.inbox_waiting)";
        while self.count(open).await != 0 || self.n_undelivered().await != 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Fails unless there are `n` charges and each took effect once in each consumer.
    pub(super) async fn assert_once(&self, n: i64) {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        let wrong: Vec<String> = sqlx::query_scalar(WRONG)
            .fetch_all(&mut books)
            .await
            .unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(self.count(ORPHANS).await, 0);
        assert_eq!(self.count("SELECT count(*) FROM public.charges").await, n);
        let stock: (i64, i64) = sqlx::query_as("SELECT available, reserved FROM public.inventory")
            .fetch_one(&mut books)
            .await
            .unwrap();
        assert_eq!(stock, (STOCK - n, n));
        let dead = "SELECT count(*) FROM oncely.dead_letter";
        assert_eq!(self.count(dead).await, 0);
    }

    /// How many messages the broker still has to deliver, or waits to be acknowledged.
    pub(super) async fn n_undelivered(&self) -> i64 {
        let asked = n_undelivered(self.redis.url(), "t:s:charge.succeeded").await;
        asked.expect("Redis answers")
    }

    pub(super) async fn count(&self, statement: &str) -> i64 {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        let count = sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_one(&mut books)
            .await
            .unwrap();
        books.close().await.unwrap();
        count
    }

    pub(super) async fn execute(&self, statement: &str) {
        let mut books = PgConnection::connect(self.database.url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut books)
            .await
            .unwrap();
        books.close().await.unwrap();
    }
}

/// The sum of a metric over all its labels, as the process at `admin` tells it.
pub(super) async fn metric(admin: &str, name: &str) -> f64 {
    let reply = Caller::new(admin, "none").get("/metrics").await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let lines = text.lines().filter(|it| {
        let rest = it.strip_prefix(name);
        rest.is_some_and(|it| it.starts_with(['{', ' ']))
    });
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    lines.map(value).sum()
}
