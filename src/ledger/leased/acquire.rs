//! Claims a key for a leased operation, or takes over what another attempt has abandoned.

use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Overdue;
use crate::domain::{Carried, Claim, Lease, Progress, Record, Tenant, may_take_over};
use crate::ledger::acquire::{is_lock_not_available, set_lock_timeout};
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};
use crate::ledger::lookup::look_up;
use crate::ledger::tx::Tx;

/// Index: the primary key, whose uniqueness decides between two that insert at once. An expired
/// record is taken over with a higher fencing number, so that no attempt of its past can touch it.
const INSERT: &str = "
INSERT INTO oncely.records AS held
    (tenant, id, operation, fingerprint, expires_at,
     state, attempt, lease_expires_at, phase, carried, downstream_key)
VALUES ($1, $2, $3, $4, timestamptz '9999-12-31 00:00:00+00',
        'leased', 1, clock_timestamp() + make_interval(secs => $5), $6, $7::jsonb, $8)
ON CONFLICT (tenant, id) DO UPDATE SET
    operation = excluded.operation, fingerprint = excluded.fingerprint,
    created_at = excluded.created_at, expires_at = excluded.expires_at,
    state = excluded.state, attempt = held.attempt + 1,
    lease_expires_at = excluded.lease_expires_at, phase = excluded.phase,
    carried = excluded.carried, downstream_key = excluded.downstream_key,
    completed_at = NULL, response_status = NULL, response_headers = NULL, response_body = NULL
WHERE held.expires_at <= now()
RETURNING attempt";

/// A record that somebody is just writing to is not abandoned, and is not waited for.
const TAKE_OVER: &str = "
WITH abandoned AS MATERIALIZED (
    SELECT tenant, id FROM oncely.records
    WHERE tenant = $1 AND id = $2 AND state = 'leased' AND lease_expires_at <= clock_timestamp()
    FOR UPDATE SKIP LOCKED
)
UPDATE oncely.records r SET
    attempt = r.attempt + 1,
    lease_expires_at = clock_timestamp() + make_interval(secs => $3)
FROM abandoned
WHERE r.tenant = abandoned.tenant AND r.id = abandoned.id
RETURNING r.attempt, r.phase, r.carried::text, r.downstream_key";

/// What is ours now.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The lease.
    pub lease: Lease,
    /// Where to go on.
    pub progress: Progress,
    /// Whether this attempt took it over from another one.
    pub is_taken_over: bool,
}

/// What a claim met.
#[derive(Debug, PartialEq)]
pub enum LeaseAcquired {
    /// The record is ours until the lease ends.
    Held(Box<Held>),
    /// The operation is known: done, unknown, another request's, or being worked on.
    Found(Box<Record>),
    /// Somebody else is claiming it at this moment.
    Busy,
}

/// A row of [`TAKE_OVER`].
#[derive(FromRow)]
struct TakenOver {
    attempt: i32,
    phase: String,
    carried: String,
    downstream_key: Option<Uuid>,
}

impl Ledger {
    /// Claims the key of `claim`, and commits the claim. A new record begins at `first`.
    ///
    /// # Cancellation
    ///
    /// The claim may have been committed: then its lease ends by itself.
    pub async fn acquire_lease(
        &self,
        claim: &Claim,
        first: &Progress,
    ) -> Result<LeaseAcquired, Error> {
        let mut tx = self.begin().await?;
        let wait = self.settings.insert_wait_timeout.as_millis().to_string();
        set_lock_timeout(&mut tx, &wait).await?;
        let acquired = match look_up(&mut tx, claim).await? {
            None => self.insert(&mut tx, claim, first).await?,
            Some(record) => self.found(&mut tx, claim, record).await?,
        };
        match acquired {
            LeaseAcquired::Held(_) => tx.commit().await?,
            LeaseAcquired::Found(_) | LeaseAcquired::Busy => tx.rollback().await?,
        }
        Ok(acquired)
    }

    /// Takes over an abandoned record, and commits that; `None` where it is not abandoned any more.
    pub async fn take_over(&self, overdue: &Overdue) -> Result<Option<Held>, Error> {
        let mut tx = self.begin().await?;
        let held = self
            .take_over_within(&mut tx, (&overdue.tenant, overdue.id))
            .await?;
        tx.commit().await?;
        Ok(held)
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        claim: &Claim,
        first: &Progress,
    ) -> Result<LeaseAcquired, Error> {
        let inserted = sqlx::query_scalar(INSERT)
            .bind(claim.tenant.as_str())
            .bind(claim.identity.id())
            .bind(claim.operation.as_str())
            .bind(claim.fingerprint.to_bytes())
            .bind(self.settings.lease.as_secs_f64())
            .bind(&first.phase)
            .bind(first.carried.to_string())
            .bind(first.downstream_key)
            .fetch_optional(&mut **tx)
            .await;
        let attempt: Option<i32> = match inserted {
            Ok(attempt) => attempt,
            Err(error) if is_lock_not_available(&error) => None,
            Err(error) => return Err(Error::driver(Operation::Acquire)(error)),
        };
        let Some(attempt) = attempt else {
            return Ok(LeaseAcquired::Busy);
        };
        Ok(LeaseAcquired::Held(Box::new(Held {
            lease: Lease {
                tenant: claim.tenant.clone(),
                id: claim.identity.id(),
                attempt,
            },
            progress: first.clone(),
            is_taken_over: false,
        })))
    }

    /// Takes over only what asks for the same: another request is a mismatch first.
    async fn found(
        &self,
        tx: &mut Tx,
        claim: &Claim,
        record: Record,
    ) -> Result<LeaseAcquired, Error> {
        if may_take_over(claim, &record) {
            let of = (&claim.tenant, claim.identity.id());
            if let Some(held) = self.take_over_within(tx, of).await? {
                return Ok(LeaseAcquired::Held(Box::new(held)));
            }
        }
        Ok(LeaseAcquired::Found(Box::new(record)))
    }

    async fn take_over_within(
        &self,
        connection: &mut PgConnection,
        (tenant, id): (&Tenant, [u8; 16]),
    ) -> Result<Option<Held>, Error> {
        let row: Option<TakenOver> = sqlx::query_as(TAKE_OVER)
            .bind(tenant.as_str())
            .bind(id)
            .bind(self.settings.lease.as_secs_f64())
            .fetch_optional(connection)
            .await
            .map_err(Error::driver(Operation::Acquire))?;
        let Some(row) = row else { return Ok(None) };
        let carried = Carried::parse(&row.carried)
            .ok_or_else(|| Error::corrupt(Operation::Acquire, "carried"))?;
        Ok(Some(Held {
            lease: Lease {
                tenant: tenant.clone(),
                id,
                attempt: row.attempt,
            },
            progress: Progress {
                phase: row.phase,
                carried,
                downstream_key: row.downstream_key,
            },
            is_taken_over: true,
        }))
    }
}
