//! Claims a key inside a transaction, in one of two dialects.

use std::time::Duration;

use sqlx::PgConnection;

use super::connection::Ledger;
use super::error::{Error, Operation};
use super::lookup::look_up;
use super::tx::Tx;
use crate::config;
use crate::domain::{Claim, Record};

/// Statement 1 of the SQL contract. It never waits: false says that somebody is working on it.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock($1)";

/// The claim of `insert_wait`: waits for a concurrent claim's end, at most `lock_timeout`.
/// The guard takes over an expired record, and lets no living one be touched.
const INSERT: &str = "
INSERT INTO oncely.records (tenant, id, operation, fingerprint, state, expires_at)
VALUES ($1, $2, $3, $4, 'in_progress', now() + make_interval(secs => $5))
ON CONFLICT (tenant, id) DO UPDATE SET
    operation = excluded.operation, fingerprint = excluded.fingerprint,
    created_at = excluded.created_at, expires_at = excluded.expires_at, state = excluded.state,
    completed_at = NULL, response_status = NULL, response_headers = NULL, response_body = NULL
WHERE oncely.records.expires_at <= now()";

const LOCK_TIMEOUT: &str = "SELECT set_config('lock_timeout', $1, true)";

/// The server gave up waiting for a lock (PostgreSQL documentation, appendix A).
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What a claim met.
#[derive(Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The key is ours until the transaction ends, and no record is there.
    Claimed,
    /// The operation is known.
    Found(Box<Record>),
    /// Another transaction has the key.
    Busy,
}

impl Acquired {
    fn found(record: Record) -> Self {
        Self::Found(Box::new(record))
    }
}

impl Ledger {
    /// Claims the key of `claim` within `tx`.
    ///
    /// # Cancellation
    ///
    /// What was claimed ends with the transaction.
    pub async fn acquire(&self, tx: &mut Tx, claim: &Claim) -> Result<Acquired, Error> {
        match self.settings.claim {
            config::Claim::Advisory => self.lock_then_look_up(tx, claim).await,
            config::Claim::InsertWait => self.insert_then_look_up(tx, claim).await,
        }
    }

    /// Lock first, lookup second, as two statements: the lookup's snapshot must be younger than
    /// the lock, or it misses the record of the one who held the lock before.
    async fn lock_then_look_up(&self, tx: &mut Tx, claim: &Claim) -> Result<Acquired, Error> {
        if !self.stub_lock {
            let locked: bool = sqlx::query_scalar(LOCK)
                .bind(claim.identity.lock())
                .fetch_one(&mut **tx)
                .await
                .map_err(Error::driver(Operation::Acquire))?;
            if !locked {
                return Ok(Acquired::Busy);
            }
        }
        Ok(look_up(tx, claim)
            .await?
            .map_or(Acquired::Claimed, Acquired::found))
    }

    async fn insert_then_look_up(&self, tx: &mut Tx, claim: &Claim) -> Result<Acquired, Error> {
        set_lock_timeout(tx, self.settings.insert_wait_timeout).await?;
        let inserted = sqlx::query(INSERT)
            .bind(claim.tenant.as_str())
            .bind(claim.identity.id())
            .bind(claim.operation.as_str())
            .bind(claim.fingerprint.to_bytes())
            .bind(self.retention.as_secs_f64())
            .execute(&mut **tx)
            .await;
        let n_rows = match inserted {
            Ok(done) => done.rows_affected(),
            Err(error) if is_lock_not_available(&error) => return Ok(Acquired::Busy),
            Err(error) => return Err(Error::driver(Operation::Acquire)(error)),
        };
        if n_rows == 1 {
            // The operation's own statements may wait for locks as long as a statement may take.
            set_lock_timeout(tx, Duration::ZERO).await?;
            return Ok(Acquired::Claimed);
        }
        // Nobody else's record may expire between the two statements: now() is one and the same.
        Ok(look_up(tx, claim)
            .await?
            .map_or(Acquired::Busy, Acquired::found))
    }
}

async fn set_lock_timeout(connection: &mut PgConnection, timeout: Duration) -> Result<(), Error> {
    sqlx::query(LOCK_TIMEOUT)
        .bind(timeout.as_millis().to_string())
        .execute(connection)
        .await
        .map_err(Error::driver(Operation::Acquire))?;
    Ok(())
}

fn is_lock_not_available(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(LOCK_NOT_AVAILABLE)
}
