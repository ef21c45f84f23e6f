//! Reads records for an operator: how far they are, and what was done to them by hand.

use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Audit;
use crate::domain::Tenant;
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};

/// `carried` stays out of it, because a request may hold a card.
const COLUMNS: &str = "tenant, id, operation, state, attempt, phase, downstream_key, created_at,
    lease_expires_at, response_status";

/// Indexes: `records_unknown` and `records_lease`. Completed records have none by time: they are found
/// by their key.
const LIST: &str = "
WHERE state = ANY($1) AND ($2::text IS NULL OR tenant = $2) AND ($3::text IS NULL OR operation = $3)
    AND ($4::timestamptz IS NULL OR $4 <= created_at)
    AND ($5::timestamptz IS NULL OR created_at < $5)
ORDER BY created_at
LIMIT $6";

const AUDIT: &str = "
SELECT action, attempt, who, why, done_at FROM oncely.key_audit
WHERE tenant = $1 AND record_id = $2
ORDER BY number";

/// A record as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Inspected {
    /// Whose.
    pub tenant: String,
    /// The record's id within the tenant.
    pub id: [u8; 16],
    /// What was asked for.
    pub operation: String,
    /// `in_progress`, `leased`, `unknown` or `completed`.
    pub state: String,
    /// The fencing number.
    pub attempt: i32,
    /// The recovery point.
    pub phase: Option<String>,
    /// The key that the call carried.
    pub downstream_key: Option<Uuid>,
    /// When it was claimed.
    pub created_at: OffsetDateTime,
    /// Until when nobody else takes it over.
    pub lease_expires_at: Option<OffsetDateTime>,
    /// The stored answer's status.
    pub response_status: Option<i16>,
}

/// Which records are listed; a field that is `None` leaves all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In one of these states.
    pub states: Vec<&'static str>,
    /// Of this tenant.
    pub tenant: Option<Tenant>,
    /// Of this operation.
    pub operation: Option<String>,
    /// Claimed at this instant or later.
    pub since: Option<OffsetDateTime>,
    /// Claimed before this instant.
    pub until: Option<OffsetDateTime>,
}

impl Ledger {
    /// Reads one record and what was done to it by hand, oldest first; `None` where it is not there.
    pub async fn inspect(
        &self,
        tenant: &Tenant,
        id: [u8; 16],
    ) -> Result<Option<(Inspected, Vec<Audit>)>, Error> {
        let mut reader = self.reader().await?;
        let statement =
            format!("SELECT {COLUMNS} FROM oncely.records WHERE tenant = $1 AND id = $2");
        let found = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&mut *reader)
            .await
            .map_err(Error::driver(Operation::Inspect))?;
        let audit = sqlx::query_as(AUDIT)
            .bind(tenant.as_str())
            .bind(id)
            .fetch_all(&mut *reader)
            .await
            .map_err(Error::driver(Operation::Inspect))?;
        reader.finish();
        Ok(found.map(|it| (it, audit)))
    }

    /// Lists at most `limit` records, oldest first.
    pub async fn list(&self, filter: &Filter, limit: i64) -> Result<Vec<Inspected>, Error> {
        let mut reader = self.reader().await?;
        let statement = format!("SELECT {COLUMNS} FROM oncely.records {LIST}");
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(&filter.states)
            .bind(filter.tenant.as_ref().map(Tenant::as_str))
            .bind(&filter.operation)
            .bind(filter.since)
            .bind(filter.until)
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(Error::driver(Operation::Inspect))?;
        reader.finish();
        Ok(rows)
    }
}
