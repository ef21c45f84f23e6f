//! Reads all that the ledger knows of one record: its state, its instants, what was done by hand.

use sqlx::FromRow;
use time::OffsetDateTime;

use super::connection::Ledger;
use super::error::{Error, Operation};
use super::leased::{Audit, Inspected};
use crate::domain::Tenant;

/// Of what a leased operation carries only the names: a request may hold a card.
const MORE: &str = "
SELECT completed_at, expires_at, response_body,
    ARRAY(SELECT jsonb_object_keys(carried) AS name ORDER BY name) AS recorded
FROM oncely.records WHERE tenant = $1 AND id = $2";

/// All that is known of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Its state.
    pub record: Inspected,
    /// When it was done.
    pub completed_at: Option<OffsetDateTime>,
    /// Until when it is kept; a date far away where it is unfinished.
    pub expires_at: OffsetDateTime,
    /// The request, and the phases that have recorded something, by name.
    pub recorded: Vec<String>,
    /// What the stored answer names as its `id`: the aggregate of the operation's events.
    pub resource: Option<String>,
    /// What was done by hand, oldest first.
    pub audit: Vec<Audit>,
}

#[derive(FromRow)]
struct More {
    completed_at: Option<OffsetDateTime>,
    expires_at: OffsetDateTime,
    response_body: Option<Vec<u8>>,
    recorded: Vec<String>,
}

impl Ledger {
    /// Reads one record with its history; `None` where it is not there, or not there any more.
    pub async fn history(&self, tenant: &Tenant, id: [u8; 16]) -> Result<Option<History>, Error> {
        let Some((record, audit)) = self.inspect(tenant, id).await? else {
            return Ok(None);
        };
        let mut reader = self.reader().await?;
        let more: Option<More> = sqlx::query_as(MORE)
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&mut *reader)
            .await
            .map_err(Error::driver(Operation::Inspect))?;
        reader.finish();
        Ok(more.map(|more| History {
            record,
            completed_at: more.completed_at,
            expires_at: more.expires_at,
            recorded: more.recorded,
            resource: more.response_body.as_deref().and_then(resource),
            audit,
        }))
    }
}

/// The member `id` of a JSON answer.
fn resource(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(answer.get("id")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_its_resource_or_does_not() {
        assert_eq!(resource(br#"{"id": "ch_1"}"#), Some("ch_1".to_owned()));
        for body in [&br#"{"id": 1}"#[..], b"[]", b"\xff", b""] {
            assert_eq!(resource(body), None);
        }
    }
}
