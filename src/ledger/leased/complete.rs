//! Stores a leased operation's answer, beside the last phase's writes.

use super::Fenced;
use crate::domain::{Lease, Stored};
use crate::ledger::complete::{Completed, parts_of};
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};
use crate::ledger::tx::Tx;

/// What was carried goes: the request may hold a card, and nobody needs it any more.
const COMPLETE: &str = "
UPDATE oncely.records SET
    state = 'completed', completed_at = now(), expires_at = now() + make_interval(secs => $4),
    response_status = $5, response_headers = $6, response_body = $7,
    lease_expires_at = NULL, phase = NULL, carried = NULL
WHERE tenant = $1 AND id = $2 AND attempt = $3 AND state = 'leased'
RETURNING completed_at, expires_at";

impl Ledger {
    /// Writes the answer into `tx`. After `Lost`, `tx` must be rolled back.
    pub async fn complete_lease(
        &self,
        tx: &mut Tx,
        lease: &Lease,
        stored: &Stored,
    ) -> Result<Fenced<Completed>, Error> {
        let (status, headers, body) = parts_of(stored);
        let row = sqlx::query_as(COMPLETE)
            .bind(lease.tenant.as_str())
            .bind(lease.id)
            .bind(lease.attempt)
            .bind(self.retention.as_secs_f64())
            .bind(status)
            .bind(headers)
            .bind(body)
            .fetch_optional(&mut **tx)
            .await
            .map_err(Error::driver(Operation::Complete))?;
        Ok(Fenced::of(row))
    }
}
