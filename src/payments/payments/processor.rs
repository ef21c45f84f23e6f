//! The card processor over HTTP, and what its answers are worth.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::operation::Charged;
use crate::config;
use crate::payments::charges::is_text;
use crate::payments::outside::{ClientError, client};
use crate::store::{Called, PhaseError};

/// Said to a client where the processor gives no reason that can be repeated.
const NO_REASON: &str = "The card was declined.";

/// A processor.
#[derive(Debug, Clone)]
pub(super) struct Processor {
    http: reqwest::Client,
    /// Where charges are made. It may hold a password: it stands in no message.
    charges: String,
}

/// What is asked of it.
#[derive(Debug, Serialize)]
pub(super) struct Order {
    /// Our id, for people who compare books.
    pub(super) reference: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) source: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
struct Refused {
    reason: String,
}

/// An answer that settles nothing.
#[derive(Debug, thiserror::Error)]
enum Unsettled {
    #[error("the processor answered {0}")]
    Status(StatusCode),
    #[error("the processor answered {0} and something that can't be read")]
    Body(StatusCode),
}

impl Processor {
    /// A client for the processor of these settings; `None` where they name none.
    pub(super) fn new(settings: &config::Processor) -> Result<Option<Self>, ClientError> {
        let Some(url) = &settings.url else {
            return Ok(None);
        };
        let http = client("processor.url", settings.timeout)?;
        let charges = format!("{}/charges", url.expose().trim_end_matches('/'));
        Ok(Some(Self { http, charges }))
    }

    /// Charges, once.
    pub(super) async fn charge(&self, order: &Order, key: Uuid) -> Called {
        let request = self.http.post(&self.charges).json(order);
        let sent = request
            .header("idempotency-key", format!("\"{key}\""))
            .send();
        let response = match sent.await {
            Ok(response) => response,
            Err(error) => return unanswered(error),
        };
        let status = response.status();
        match response.bytes().await {
            Ok(body) => judge(status, &body),
            // The status alone says who was asked, and not what was done.
            Err(error) => Called::Unanswered(error.without_url().into()),
        }
    }
}

/// Where no connection came about, nothing was sent.
fn unanswered(error: reqwest::Error) -> Called {
    let is_unsent = error.is_connect() || error.is_builder();
    let cause: PhaseError = error.without_url().into();
    if is_unsent {
        Called::NotDone(cause)
    } else {
        Called::Unanswered(cause)
    }
}

/// What an answer is worth. 402 is a refusal for good. Any other 4xx is about the call and not about
/// the card, and says that nothing was done; but 408 is what a proxy says that lost patience. After a
/// 5xx, or anything that can't be read, nobody knows.
fn judge(status: StatusCode, body: &[u8]) -> Called {
    let charged = match status.as_u16() {
        200..=299 => serde_json::from_slice(body)
            .ok()
            .filter(|Made { id }| is_text(id))
            .map(|made| Charged::Succeeded { reference: made.id }),
        402 => {
            let refused = serde_json::from_slice(body).ok();
            let reason = refused.map(|it: Refused| it.reason);
            let reason = reason.filter(|it| is_text(it));
            Some(Charged::Declined {
                reason: reason.unwrap_or_else(|| NO_REASON.to_owned()),
            })
        }
        408 => None,
        400..=499 => return Called::NotDone(Unsettled::Status(status).into()),
        _ => None,
    };
    match charged.map(serde_json::to_value) {
        Some(Ok(value)) => Called::Answered(value),
        Some(Err(error)) => Called::Unanswered(error.into()),
        None if status.is_success() => Called::Unanswered(Unsettled::Body(status).into()),
        None => Called::Unanswered(Unsettled::Status(status).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_says_done_refused_not_done_or_nothing() {
        let judged = |status: u16, body: &str| match judge(
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
        ) {
            Called::Answered(value) => value.to_string(),
            Called::NotDone(_) => "not done".to_owned(),
            Called::Unanswered(_) => "unanswered".to_owned(),
            Called::GivenUp(_) => "given up".to_owned(),
        };
        let succeeded = r#"{"succeeded":{"reference":"prc_1"}}"#;
        let declined = r#"{"declined":{"reason":"Expired."}}"#;
        let no_reason = r#"{"declined":{"reason":"The card was declined."}}"#;
        for (status, body, expected) in [
            (201, r#"{"id":"prc_1"}"#, succeeded),
            (201, r#"{"id":""}"#, "unanswered"),
            (200, "<html>", "unanswered"),
            (402, r#"{"reason":"Expired."}"#, declined),
            (402, "no", no_reason),
            (302, "", "unanswered"),
            (401, "", "not done"),
            (408, "", "unanswered"),
            (409, "", "not done"),
            (429, "", "not done"),
            (500, r#"{"id":"prc_1"}"#, "unanswered"),
            (503, "", "unanswered"),
        ] {
            assert_eq!(judged(status, body), expected, "{status} {body}");
        }
    }
}
