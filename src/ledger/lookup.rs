//! Reads a record, and turns its row into the domain's words.

use http::StatusCode;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

use super::connection::Ledger;
use super::error::{Error, Operation};
use super::step::Step;
use crate::domain::{Claim, Fingerprint, Record, Response, State, Stored};

/// How long a record in progress is worth waiting for. It is the leased operations' row.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Statement 2 of the SQL contract. Expired rows are left out, so that the next request may take
/// them over, whether or not the pruner was there.
const LOOK_UP: &str = "
SELECT state, fingerprint, response_status, response_headers, response_body, completed_at, expires_at
FROM oncely.records
WHERE tenant = $1 AND id = $2 AND now() < expires_at";

#[derive(FromRow)]
struct Row {
    state: String,
    fingerprint: Vec<u8>,
    response_status: Option<i16>,
    response_headers: Option<Vec<u8>>,
    response_body: Option<Vec<u8>>,
    completed_at: Option<OffsetDateTime>,
    expires_at: OffsetDateTime,
}

/// Reads the record of `claim` on `connection`; `None` where there is none, or an expired one.
pub(super) async fn look_up(
    connection: &mut PgConnection,
    claim: &Claim,
) -> Result<Option<Record>, Error> {
    let row: Option<Row> = sqlx::query_as(LOOK_UP)
        .bind(claim.tenant.as_str())
        .bind(claim.identity.id())
        .fetch_optional(connection)
        .await
        .map_err(Error::driver(Operation::LookUp))?;
    row.map(Record::try_from).transpose()
}

impl Ledger {
    /// Reads the record of `claim` on a fresh transaction: after a lost race, while somebody else
    /// has the key, or when a COMMIT's answer was lost.
    pub async fn look_up(&self, claim: &Claim) -> Result<Option<Record>, Error> {
        let mut tx = self.begin().await?;
        let step = Step::LookUp.begin();
        let record = step.ended(look_up(&mut tx, claim).await)?;
        tx.rollback().await?;
        Ok(record)
    }
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let corrupt = |column| Error::corrupt(Operation::LookUp, column);
        let fingerprint =
            Fingerprint::from_bytes(&row.fingerprint).ok_or_else(|| corrupt("fingerprint"))?;
        let state = match row.state.as_str() {
            // Uncommitted and our own, or leased, committed, and anybody's.
            "in_progress" | "leased" => State::InProgress {
                retry_after: RETRY_AFTER,
            },
            "unknown" => State::Unknown,
            "completed" => State::Completed {
                completed_at: row.completed_at.ok_or_else(|| corrupt("completed_at"))?,
                expires_at: row.expires_at,
                stored: row.into_stored()?,
            },
            _ => return Err(corrupt("state")),
        };
        Ok(Self {
            fingerprint: Some(fingerprint),
            state,
        })
    }
}

impl Row {
    fn into_stored(self) -> Result<Stored, Error> {
        let corrupt = |column| Error::corrupt(Operation::LookUp, column);
        let status = self
            .response_status
            .and_then(|it| StatusCode::from_u16(u16::try_from(it).ok()?).ok())
            .ok_or_else(|| corrupt("response_status"))?;
        match (self.response_headers, self.response_body) {
            (None, None) => Ok(Stored::TooLarge { status }),
            (Some(lines), Some(body)) => {
                let headers = Response::parse_header_lines(&lines)
                    .ok_or_else(|| corrupt("response_headers"))?;
                Ok(Stored::Whole(Response {
                    status,
                    headers,
                    body: body.into(),
                }))
            }
            (None, Some(_)) | (Some(_), None) => Err(corrupt("response_body")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Class;
    use time::macros::datetime;

    fn row() -> Row {
        Row {
            state: "completed".to_owned(),
            fingerprint: vec![1; 37],
            response_status: Some(201),
            response_headers: Some(b"location: /charge/1\r\n".to_vec()),
            response_body: Some(b"{}".to_vec()),
            completed_at: Some(datetime!(2026-11-21 12:00 UTC)),
            expires_at: datetime!(2026-11-22 12:00 UTC),
        }
    }

    #[test]
    fn a_row_becomes_a_record() {
        let State::Completed {
            stored: Stored::Whole(response),
            ..
        } = Record::try_from(row()).unwrap().state
        else {
            panic!("a whole answer was stored");
        };
        assert_eq!(response.status, StatusCode::CREATED);
        assert_eq!(response.headers.len(), 1);
        let tombstone = Row {
            response_headers: None,
            response_body: None,
            ..row()
        };
        let state = Record::try_from(tombstone).unwrap().state;
        assert!(matches!(
            state,
            State::Completed {
                stored: Stored::TooLarge { .. },
                ..
            }
        ));
    }

    #[test]
    fn a_row_that_contradicts_its_state_is_corrupt_and_never_executed() {
        for wrong in [
            Row {
                state: "done".to_owned(),
                ..row()
            },
            Row {
                fingerprint: vec![1; 36],
                ..row()
            },
            Row {
                response_status: None,
                ..row()
            },
            Row {
                response_status: Some(-1),
                ..row()
            },
            Row {
                response_headers: Some(b"junk".to_vec()),
                ..row()
            },
            Row {
                response_headers: None,
                ..row()
            },
            Row {
                completed_at: None,
                ..row()
            },
        ] {
            assert_eq!(Record::try_from(wrong).unwrap_err().class, Class::Corrupt);
        }
    }
}
