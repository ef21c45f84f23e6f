//! Finds leased operations that nobody works on any more.

use crate::domain::{self, Tenant};
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};

/// Index: `records_lease`. Who tried and gave up has a later lease, so the oldest come round.
const OVERDUE: &str = "
SELECT tenant, id, operation FROM oncely.records
WHERE state = 'leased' AND lease_expires_at <= now() - make_interval(secs => $1)
    AND operation = ANY($2)
ORDER BY lease_expires_at
LIMIT $3";

/// A leased operation whose lease is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Whose.
    pub tenant: Tenant,
    /// The record's id within the tenant.
    pub id: [u8; 16],
    /// What was asked for.
    pub operation: domain::Operation,
}

impl Ledger {
    /// At most `limit` of `operations` whose leases ended `rescue_interval` ago or earlier, oldest
    /// first.
    pub async fn overdue(&self, operations: &[String], limit: i64) -> Result<Vec<Overdue>, Error> {
        let mut reader = self.reader().await?;
        let rows: Vec<(String, [u8; 16], String)> = sqlx::query_as(OVERDUE)
            .bind(self.settings.rescue_interval.as_secs_f64())
            .bind(operations)
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(Error::driver(Operation::Inspect))?;
        reader.finish();
        let overdue = rows.into_iter().map(|(tenant, id, operation)| {
            let corrupt = |column| move |_| Error::corrupt(Operation::Inspect, column);
            Ok(Overdue {
                tenant: Tenant::new(tenant).map_err(corrupt("tenant"))?,
                id,
                operation: domain::Operation::new(operation).map_err(corrupt("operation"))?,
            })
        });
        overdue.collect()
    }
}
