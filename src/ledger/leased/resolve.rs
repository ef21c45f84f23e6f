//! What an operator does to a record by hand, written down in the same transaction.

use serde_json::Value;
use time::OffsetDateTime;

use super::{Fenced, touched};
use crate::domain::Lease;
use crate::ledger::connection::Ledger;
use crate::ledger::error::{Error, Operation};
use crate::ledger::tx::Tx;

/// The call was made: its end goes where the phase would have put it, and the rest goes on from there.
/// Whoever made a mistake may say it again, as long as nobody has finished on its grounds: such a
/// record is leased and carries what its own phase records, which no attempt leaves behind.
const HAPPENED: &str = "
UPDATE oncely.records SET
    state = 'leased', attempt = attempt + 1, lease_expires_at = clock_timestamp(),
    carried = carried || jsonb_build_object(phase, $4::jsonb)
WHERE tenant = $1 AND id = $2 AND attempt = $3
    AND (state = 'unknown' OR state = 'leased' AND carried ? phase)";

/// The call was not made: it may be sent. A mistake can be put right here too.
const DID_NOT_HAPPEN: &str = "
UPDATE oncely.records SET
    state = 'leased', attempt = attempt + 1, lease_expires_at = clock_timestamp(),
    carried = carried - phase, downstream_key = NULL
WHERE tenant = $1 AND id = $2 AND attempt = $3
    AND (state = 'unknown' OR state = 'leased' AND carried ? phase)";

/// Takes it from whoever has it. What was sent stays noted as sent.
const RELEASE: &str = "
UPDATE oncely.records SET attempt = attempt + 1, lease_expires_at = clock_timestamp()
WHERE tenant = $1 AND id = $2 AND attempt = $3 AND state = 'leased'";

const AUDIT: &str = "
INSERT INTO oncely.key_audit (tenant, record_id, attempt, action, outcome, who, why)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7)";

/// What the other side's books say of a call whose answer is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// It was done, and this is what the phase would have recorded.
    Happened(Value),
    /// It was not done, and never will be.
    DidNotHappen,
}

/// An operator's answer to a record that is unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolve {
    /// The record as the operator saw it: where its attempt is another by now, nothing happens.
    pub seen: Lease,
    /// What was found.
    pub finding: Finding,
    /// Who says so.
    pub who: String,
    /// On what grounds.
    pub why: String,
}

/// An operator's end to somebody's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The record as the operator saw it: where its attempt is another by now, nothing happens.
    pub seen: Lease,
    /// Who says so.
    pub who: String,
    /// On what grounds.
    pub why: String,
}

/// What was done to a record by hand.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Audit {
    /// `resolve_happened`, `resolve_did_not_happen` or `release`.
    pub action: String,
    /// The attempt that the operator had seen.
    pub attempt: i32,
    /// Who did it.
    pub who: String,
    /// On what grounds.
    pub why: String,
    /// When.
    pub done_at: OffsetDateTime,
}

impl Ledger {
    /// Resolves an unknown record: from now on a retry, or the rescuer, brings it to its end.
    pub async fn resolve(&self, resolve: &Resolve) -> Result<Fenced, Error> {
        let (statement, action, outcome) = match &resolve.finding {
            Finding::Happened(found) => (HAPPENED, "resolve_happened", Some(found.to_string())),
            Finding::DidNotHappen => (DID_NOT_HAPPEN, "resolve_did_not_happen", None),
        };
        let by = (resolve.who.as_str(), resolve.why.as_str());
        self.by_hand(statement, &resolve.seen, (action, outcome), by)
            .await
    }

    /// Takes a leased record from its holder, whose next write is refused.
    pub async fn release_by_hand(&self, release: &Release) -> Result<Fenced, Error> {
        let by = (release.who.as_str(), release.why.as_str());
        self.by_hand(RELEASE, &release.seen, ("release", None), by)
            .await
    }

    async fn by_hand(
        &self,
        statement: &'static str,
        seen: &Lease,
        (action, outcome): (&str, Option<String>),
        by: (&str, &str),
    ) -> Result<Fenced, Error> {
        let mut tx = self.begin().await?;
        let mut change = sqlx::query(statement)
            .bind(seen.tenant.as_str())
            .bind(seen.id)
            .bind(seen.attempt);
        if let Some(outcome) = &outcome {
            change = change.bind(outcome);
        }
        let changed = change
            .execute(&mut *tx)
            .await
            .map_err(Error::driver(Operation::Resolve))?;
        let fenced = touched(changed.rows_affected());
        if fenced == Fenced::Lost {
            tx.rollback().await?;
            return Ok(fenced);
        }
        write_down(&mut tx, seen, (action, outcome.as_deref()), by).await?;
        tx.commit().await?;
        Ok(fenced)
    }
}

async fn write_down(
    tx: &mut Tx,
    seen: &Lease,
    (action, outcome): (&str, Option<&str>),
    (who, why): (&str, &str),
) -> Result<(), Error> {
    sqlx::query(AUDIT)
        .bind(seen.tenant.as_str())
        .bind(seen.id)
        .bind(seen.attempt)
        .bind(action)
        .bind(outcome)
        .bind(who)
        .bind(why)
        .execute(&mut **tx)
        .await
        .map_err(Error::driver(Operation::Resolve))?;
    Ok(())
}
