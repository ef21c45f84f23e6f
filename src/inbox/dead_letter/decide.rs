//! What both decisions begin and end with: locking the letters, and writing down who decided and why.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;
use uuid::Uuid;

use super::error::Error;

/// How long one statement may take before its connection is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Locks the letters that nobody has decided about, in one order for all who decide. `true` where it is
/// below the horizon.
const LOCK: &str = "
SELECT d.consumer, d.tenant, d.id, d.topic, d.kind, d.aggregate, d.id < h.id
FROM oncely.dead_letter AS d CROSS JOIN oncely.inbox_horizon AS h
WHERE d.state = 'dead' AND (d.consumer, d.tenant, d.id) IN (
    SELECT k.consumer, k.tenant, k.id
    FROM unnest($1::text[], $2::text[], $3::uuid[]) AS k (consumer, tenant, id))
ORDER BY d.consumer, d.id, d.tenant
FOR UPDATE OF d";

const DECIDE: &str = "
UPDATE oncely.dead_letter AS d SET state = $4
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS k (consumer, tenant, id)
WHERE d.consumer = k.consumer AND d.tenant = k.tenant AND d.id = k.id";

const AUDIT: &str = "
INSERT INTO oncely.dead_letter_audit (consumer, tenant, id, action, who, why)
SELECT k.consumer, k.tenant, k.id, $4, $5, $6
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS k (consumer, tenant, id)";

/// Which dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Whose; `relay` where no broker took it.
    pub consumer: String,
    /// The tenant's name.
    pub tenant: String,
    /// The event's id.
    pub id: Uuid,
}

/// Letters that this transaction has locked, in columns.
#[derive(Debug, Default)]
pub(super) struct Letters {
    pub(super) consumers: Vec<String>,
    pub(super) tenants: Vec<String>,
    pub(super) ids: Vec<Uuid>,
    pub(super) details: Vec<Detail>,
}

/// What a decision needs to know of a letter besides its key.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) topic: String,
    pub(super) kind: String,
    pub(super) aggregate: String,
    pub(super) is_below: bool,
}

type Row = (String, String, Uuid, String, String, String, bool);

impl Letters {
    /// Locks those of `keys` that nobody has decided about.
    pub(super) async fn lock(connection: &mut PgConnection, keys: &[Key]) -> Result<Self, Error> {
        let query = sqlx::query_as(LOCK)
            .bind(
                keys.iter()
                    .map(|it| it.consumer.clone())
                    .collect::<Vec<_>>(),
            )
            .bind(keys.iter().map(|it| it.tenant.clone()).collect::<Vec<_>>())
            .bind(keys.iter().map(|it| it.id).collect::<Vec<_>>());
        let rows: Vec<Row> = answer(query.fetch_all(connection)).await?;
        let mut letters = Self::default();
        for (consumer, tenant, id, topic, kind, aggregate, is_below) in rows {
            let detail = Detail {
                topic,
                kind,
                aggregate,
                is_below,
            };
            letters.push(consumer, tenant, id, detail);
        }
        Ok(letters)
    }

    /// Those of the relay, and those of consumers.
    pub(super) fn split(self) -> (Self, Self) {
        let (mut relay, mut consumers) = (Self::default(), Self::default());
        let keys = self.consumers.into_iter().zip(self.tenants).zip(self.ids);
        for (((consumer, tenant), id), detail) in keys.zip(self.details) {
            let side = if consumer == "relay" {
                &mut relay
            } else {
                &mut consumers
            };
            side.push(consumer, tenant, id, detail);
        }
        (relay, consumers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Sets their state, writes down who and why, and says how many there are.
    pub(super) async fn decide(
        &self,
        connection: &mut PgConnection,
        decision: Decided<'_>,
    ) -> Result<u64, Error> {
        let query = sqlx::query(DECIDE)
            .bind(&self.consumers)
            .bind(&self.tenants)
            .bind(&self.ids)
            .bind(decision.state);
        answer(query.execute(&mut *connection)).await?;
        let query = sqlx::query(AUDIT)
            .bind(&self.consumers)
            .bind(&self.tenants)
            .bind(&self.ids)
            .bind(decision.action)
            .bind(decision.who)
            .bind(decision.why);
        answer(query.execute(connection)).await?;
        Ok(u64::try_from(self.ids.len()).unwrap_or(u64::MAX))
    }

    fn push(&mut self, consumer: String, tenant: String, id: Uuid, detail: Detail) {
        self.consumers.push(consumer);
        self.tenants.push(tenant);
        self.ids.push(id);
        self.details.push(detail);
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided<'a> {
    pub(super) state: &'static str,
    pub(super) action: &'static str,
    pub(super) who: &'a str,
    pub(super) why: &'a str,
}

/// Waits with bounded patience.
pub(super) async fn answer<T, E: Into<Error>>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match timeout(PATIENCE, asked).await {
        Ok(answered) => answered.map_err(Into::into),
        Err(_elapsed) => Err(Error::Late),
    }
}
