//! Stores an operation's answer in its own transaction, and commits both.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use time::OffsetDateTime;

use super::connection::Ledger;
use super::error::{Error, Operation};
use super::step::Step;
use super::tx::Tx;
use crate::config;
use crate::domain::{Claim, Stored};

/// Statement 3 of the SQL contract: the record, inserted once, complete with its answer.
///
/// The primary key decides here, whatever the lock said before. The guard lets an expired record
/// be taken over, and makes zero rows of a living one: somebody else was first.
const INSERT: &str = "
INSERT INTO oncely.records
    (tenant, id, operation, fingerprint, expires_at,
     state, completed_at, response_status, response_headers, response_body)
VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), 'completed', now(), $6, $7, $8)
ON CONFLICT (tenant, id) DO UPDATE SET
    operation = excluded.operation, fingerprint = excluded.fingerprint,
    created_at = excluded.created_at, expires_at = excluded.expires_at, state = excluded.state,
    completed_at = excluded.completed_at, response_status = excluded.response_status,
    response_headers = excluded.response_headers, response_body = excluded.response_body
WHERE oncely.records.expires_at <= now()
RETURNING completed_at, expires_at";

/// The same after a claim by `insert_wait`. The guard touches only the row that we inserted.
const UPDATE: &str = "
UPDATE oncely.records SET
    operation = $3, fingerprint = $4, expires_at = now() + make_interval(secs => $5),
    state = 'completed', completed_at = now(),
    response_status = $6, response_headers = $7, response_body = $8
WHERE tenant = $1 AND id = $2 AND state = 'in_progress'
RETURNING completed_at, expires_at";

/// When a record was completed and until when it counts, by the ledger's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completed {
    /// When it was completed.
    pub completed_at: OffsetDateTime,
    /// Until when it is promised to replay.
    pub expires_at: OffsetDateTime,
}

/// What became of an answer that was to be stored.
#[derive(Debug, PartialEq, Eq)]
pub enum Completion {
    /// The record is in the transaction, which is still open.
    Stored(Completed),
    /// Another transaction committed a record for this key first. Ours must be rolled back.
    Lost,
}

impl FromRow<'_, PgRow> for Completed {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            completed_at: row.try_get(0)?,
            expires_at: row.try_get(1)?,
        })
    }
}

/// The columns of an answer: status, header lines and body.
pub(super) fn parts_of(stored: &Stored) -> (i16, Option<Vec<u8>>, Option<&[u8]>) {
    let status =
        i16::try_from(stored.status().as_u16()).expect("invariant: a status has three digits");
    match stored {
        Stored::Whole(response) => (
            status,
            Some(response.header_lines()),
            Some(&response.body[..]),
        ),
        Stored::TooLarge { .. } => (status, None, None),
    }
}

impl Ledger {
    /// Writes the record of `claim` with its answer into `tx`. Nobody sees it before the commit.
    pub async fn complete(
        &self,
        tx: &mut Tx,
        claim: &Claim,
        stored: &Stored,
    ) -> Result<Completion, Error> {
        let statement = match self.settings.claim {
            config::Claim::Advisory => INSERT,
            config::Claim::InsertWait => UPDATE,
        };
        let (status, headers, body) = parts_of(stored);
        let insert = sqlx::query_as(statement)
            .bind(claim.tenant.as_str())
            .bind(claim.identity.id())
            .bind(claim.operation.as_str())
            .bind(claim.fingerprint.to_bytes())
            .bind(self.retention.as_secs_f64())
            .bind(status)
            .bind(headers)
            .bind(body);
        let step = Step::Complete.begin();
        let row = insert.fetch_optional(&mut **tx).await;
        let row: Option<Completed> = step.ended(row.map_err(Error::driver(Operation::Complete)))?;
        Ok(row.map_or(Completion::Lost, Completion::Stored))
    }

    /// Fails where a statement in `tx` has failed before: such a transaction can't be committed.
    pub async fn probe(&self, tx: &mut Tx) -> Result<(), Error> {
        sqlx::query("SELECT 1")
            .execute(&mut **tx)
            .await
            .map_err(Error::driver(Operation::Complete))?;
        Ok(())
    }

    /// Commits `tx`. An error of class `Indeterminate` leaves open whether it did.
    pub async fn commit(&self, tx: Tx) -> Result<(), Error> {
        tx.commit().await
    }

    /// Rolls `tx` back.
    pub async fn rollback(&self, tx: Tx) -> Result<(), Error> {
        tx.rollback().await
    }
}
