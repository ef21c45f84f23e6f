//! The tax service over HTTP, and what its answers are worth.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::amounts::WHOLE_PPM;
use super::question::Question;
use super::tries::Tries;
use crate::payments::charges::is_text;
use crate::payments::outside::{ClientError, client};
use crate::{backoff, config};

/// Said to a client where the service gives no reason that can be repeated.
const NO_REASON: &str = "The tax service refuses this invoice.";

/// What a slow machine may add to the longest that all tries take.
const SLACK: Duration = Duration::from_millis(500);

/// A tax service.
#[derive(Debug, Clone)]
pub(in crate::payments) struct TaxService {
    http: reqwest::Client,
    /// Where quotes are given. It may hold a password: it stands in no message.
    quotes: String,
    tries: Tries,
    patience: Duration,
}

/// What it says for good, and so what `quote` records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Quote {
    /// The tax is so much of the subtotal.
    Rate { ppm: i64 },
    /// There is no tax for such an invoice, and so no invoice.
    Refused { reason: String },
}

/// It gave no answer, as often as it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the tax service gave no answer, asked {n_tries} times")]
pub(super) struct TaxUnavailable {
    n_tries: u32,
    source: NoAnswer,
}

/// Why one question has no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the tax service can't be asked, or did not answer")]
    Silent(#[source] reqwest::Error),
    #[error("the tax service answered {0}")]
    Status(StatusCode),
    #[error("the tax service answered {0} and something that can't be read")]
    Body(StatusCode),
}

#[derive(Deserialize)]
struct Rate {
    rate_ppm: i64,
}

#[derive(Deserialize)]
struct Refusal {
    reason: String,
}

impl TaxService {
    /// A client for the service of these settings; `None` where they name none.
    pub(in crate::payments) fn new(settings: &config::Tax) -> Result<Option<Self>, ClientError> {
        let Some(url) = &settings.url else {
            return Ok(None);
        };
        Ok(Some(Self {
            http: client("tax.url", settings.timeout)?,
            quotes: format!("{}/quotes", url.expose().trim_end_matches('/')),
            tries: Tries {
                most: settings.attempts_max,
                backoff: settings.backoff(),
            },
            patience: settings.patience() + SLACK,
        }))
    }

    /// How long [`TaxService::quote`] takes at most.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Asks until there is an answer, as often as the settings allow. A question has no effect over
    /// there, so it may be asked at any time and any number of times.
    ///
    /// # Cancellation
    ///
    /// Dropping it leaves nothing behind.
    pub(super) async fn quote(&self, question: &Question) -> Result<Quote, TaxUnavailable> {
        let quoted = self.tries.make(backoff::draw, || self.ask(question)).await;
        quoted.map_err(|source| TaxUnavailable {
            n_tries: self.tries.most,
            source,
        })
    }

    async fn ask(&self, question: &Question) -> Result<Quote, NoAnswer> {
        let silent = |error: reqwest::Error| NoAnswer::Silent(error.without_url());
        let asking = self.http.post(&self.quotes).json(question).send();
        let response = asking.await.map_err(silent)?;
        let status = response.status();
        let body = response.bytes().await.map_err(silent)?;
        judge(status, &body)
    }
}

/// What an answer is worth. 400 and 422 are about the invoice, and the same question would meet them
/// again. Every other refusal is about the call (a wrong address, a missing credential, too many
/// questions) and must not become an invoice's last word.
fn judge(status: StatusCode, body: &[u8]) -> Result<Quote, NoAnswer> {
    match status.as_u16() {
        200..=299 => {
            let rate: Option<Rate> = serde_json::from_slice(body).ok();
            rate.map(|it| it.rate_ppm)
                .filter(|it| (0..=WHOLE_PPM).contains(it))
                .map(|ppm| Quote::Rate { ppm })
                .ok_or(NoAnswer::Body(status))
        }
        400 | 422 => {
            let refusal: Option<Refusal> = serde_json::from_slice(body).ok();
            let reason = refusal.map(|it| it.reason).filter(|it| is_text(it));
            let reason = reason.unwrap_or_else(|| NO_REASON.to_owned());
            Ok(Quote::Refused { reason })
        }
        _ => Err(NoAnswer::Status(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_a_rate_a_refusal_or_none() {
        let judged = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            judge(status, body.as_bytes()).ok()
        };
        let rate = |ppm| Some(Quote::Rate { ppm });
        let refused = |reason: &str| {
            let reason = reason.to_owned();
            Some(Quote::Refused { reason })
        };
        for (status, body, expected) in [
            (200, r#"{"rate_ppm":190000}"#, rate(190_000)),
            (200, r#"{"rate_ppm":0}"#, rate(0)),
            (200, r#"{"rate_ppm":1000000}"#, rate(1_000_000)),
            (200, r#"{"rate_ppm":1000001}"#, None),
            (200, r#"{"rate_ppm":-1}"#, None),
            (200, r#"{"rate_ppm":0.19}"#, None),
            (200, "<html>", None),
            (204, "", None),
            (302, "", None),
            (
                400,
                r#"{"reason":"No such country."}"#,
                refused("No such country."),
            ),
            (
                422,
                r#"{"reason":"No such country."}"#,
                refused("No such country."),
            ),
            (422, r#"{"reason":""}"#, refused(NO_REASON)),
            (422, "no", refused(NO_REASON)),
            (401, "", None),
            (404, r#"{"reason":"no such path"}"#, None),
            (408, "", None),
            (429, "", None),
            (500, r#"{"rate_ppm":190000}"#, None),
            (503, "", None),
        ] {
            assert_eq!(judged(status, body), expected, "{status} {body}");
        }
    }
}
