//! Claims a key inside a transaction, in one of two dialects.

use sqlx::PgConnection;

use super::connection::Ledger;
use super::error::{Error, Operation};
use super::lookup::look_up;
use super::step::Step;
use super::tx::Tx;
use crate::config;
use crate::domain::{Claim, Record};

/// Statement 1 of the SQL contract. It never waits: false says that somebody is working on it.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock($1)";

/// The claim of `insert_wait`: waits for a concurrent claim's end, at most `lock_timeout`. It
/// touches no row that is there, so that replays of one key do not queue behind each other.
const INSERT: &str = "
INSERT INTO oncely.records (tenant, id, operation, fingerprint, state, expires_at)
VALUES ($1, $2, $3, $4, 'in_progress', now() + make_interval(secs => $5))
ON CONFLICT (tenant, id) DO NOTHING";

/// Takes over a record that has expired. The guard makes zero rows of one that another request
/// has taken over first.
const TAKE_OVER: &str = "
UPDATE oncely.records SET
    operation = $3, fingerprint = $4, state = 'in_progress',
    created_at = now(), expires_at = now() + make_interval(secs => $5),
    completed_at = NULL, response_status = NULL, response_headers = NULL, response_body = NULL
WHERE tenant = $1 AND id = $2 AND expires_at <= now()";

/// Bounds the wait for this transaction, and says what the bound was before.
const LOCK_TIMEOUT: &str =
    "SELECT current_setting('lock_timeout'), set_config('lock_timeout', $1, true)";

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
        let step = Step::Acquire.begin();
        step.ended(match self.settings.claim {
            config::Claim::Advisory => self.lock_then_look_up(tx, claim).await,
            config::Claim::InsertWait => self.insert_then_look_up(tx, claim).await,
        })
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
        let wait = self.settings.insert_wait_timeout.as_millis().to_string();
        let before = set_lock_timeout(tx, &wait).await?;
        let acquired = match self.write_claim(tx, claim, INSERT).await? {
            Some(1) => Acquired::Claimed,
            None => Acquired::Busy,
            Some(_) => match look_up(tx, claim).await? {
                Some(record) => Acquired::found(record),
                // The row that is in the way has expired.
                None => match self.write_claim(tx, claim, TAKE_OVER).await? {
                    Some(1) => Acquired::Claimed,
                    Some(_) | None => Acquired::Busy,
                },
            },
        };
        if acquired == Acquired::Claimed {
            // The operation's own statements wait for locks as long as its role says.
            set_lock_timeout(tx, &before).await?;
        }
        Ok(acquired)
    }

    /// The number of rows that were written; `None` where another's claim was in the way too long,
    /// which aborts the transaction.
    async fn write_claim(
        &self,
        tx: &mut Tx,
        claim: &Claim,
        statement: &'static str,
    ) -> Result<Option<u64>, Error> {
        let written = sqlx::query(statement)
            .bind(claim.tenant.as_str())
            .bind(claim.identity.id())
            .bind(claim.operation.as_str())
            .bind(claim.fingerprint.to_bytes())
            .bind(self.retention.as_secs_f64())
            .execute(&mut **tx)
            .await;
        match written {
            Ok(done) => Ok(Some(done.rows_affected())),
            Err(error) if is_lock_not_available(&error) => Ok(None),
            Err(error) => Err(Error::driver(Operation::Acquire)(error)),
        }
    }
}

/// Sets the bound and returns the one before.
pub(super) async fn set_lock_timeout(
    connection: &mut PgConnection,
    timeout: &str,
) -> Result<String, Error> {
    let (before, _now): (String, String) = sqlx::query_as(LOCK_TIMEOUT)
        .bind(timeout)
        .fetch_one(connection)
        .await
        .map_err(Error::driver(Operation::Acquire))?;
    Ok(before)
}

pub(super) fn is_lock_not_available(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(LOCK_NOT_AVAILABLE)
}
