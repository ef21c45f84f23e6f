//! What the tests of leased operations share: a processor, an app that calls it, and its records.

use std::time::Duration;

use oncely::domain::{Identity, Key, Lease, Operation, Tenant};
use oncely::testkit::Processor;
use sqlx::{Connection, PgConnection};

use crate::harness::{App, Caller, Recipe, RedisChoice, Reply};

/// A record of a leased operation, every column that may change.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) state: String,
    pub(super) attempt: i32,
    pub(super) phase: Option<String>,
    pub(super) carried: Option<String>,
    pub(super) downstream_key: Option<String>,
    pub(super) lease: Option<String>,
    pub(super) status: Option<i16>,
    pub(super) body: Option<Vec<u8>>,
}

const ROW: &str = "
SELECT state, attempt, phase, carried::text AS carried, downstream_key::text AS downstream_key,
    lease_expires_at::text AS lease, response_status AS status, response_body AS body
FROM oncely.records WHERE tenant = 'demo' AND id = $1";

/// With and without Redis.
pub(super) const BOTH: [RedisChoice; 2] = [RedisChoice::Shared, RedisChoice::Absent];

/// An app that charges at `processor`, with little patience.
pub(super) fn paying_at(processor: &Processor, accepts_keys: bool) -> Recipe {
    Recipe::default().with(|config| {
        config.processor.url = Some(processor.url().into());
        config.processor.accepts_keys = accepts_keys;
        config.processor.timeout = Duration::from_millis(500);
        // Nobody rescues unless a test asks for it.
        config.ledger.rescue_interval = Duration::from_hours(1);
        config.ledger.operation_timeout = Duration::from_secs(4);
    })
}

/// `POST /payments`.
pub(super) async fn pay(caller: &Caller, key: &str, source: &str) -> Reply {
    caller.post("/payments", key, &body(source)).await
}

pub(super) fn body(source: &str) -> String {
    format!(r#"{{"amount": 4200, "currency": "USD", "source": "{source}"}}"#)
}

/// The lease of a payment of tenant `demo` at this attempt.
pub(super) fn lease(key: &str, attempt: i32) -> Lease {
    let tenant = Tenant::new("demo").unwrap();
    let operation = Operation::new("POST /payments").unwrap();
    let key = Key::from_header([key.as_bytes()]).unwrap();
    Lease {
        id: Identity::of(&tenant, &operation, &key).id(),
        tenant,
        attempt,
    }
}

/// The record of a payment of tenant `demo`.
pub(super) async fn row_at(database_url: &str, key: &str) -> Option<Row> {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    let row = sqlx::query_as(ROW)
        .bind(lease(key, 0).id)
        .fetch_optional(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    row
}

impl App {
    pub(super) async fn row(&self, key: &str) -> Row {
        row_at(&self.database_url, key).await.unwrap()
    }

    /// Ends every lease, as time would.
    pub(super) async fn end_leases(&self) {
        let statement = "UPDATE oncely.records SET lease_expires_at = now() - interval '1 hour' \
                         WHERE state = 'leased'";
        self.execute(statement).await;
    }

    /// How many payments of this source there are in this state.
    pub(super) async fn n_payments(&self, source: &str, status: &str) -> i64 {
        self.count(&format!(
            "SELECT count(*) FROM public.payments WHERE source = '{source}' AND status = '{status}'"
        ))
        .await
    }

    /// How many payments have been told of.
    pub(super) async fn n_events(&self) -> i64 {
        self.count("SELECT count(*) FROM oncely.outbox_event WHERE topic = 'payment.succeeded'")
            .await
    }
}
