//! The `[tax]` section: the tax service behind the invoices.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Secret, duration, secret};
use crate::backoff::Backoff;

/// How long the wait before a second question is at most; it doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest such wait.
const PAUSE_MOST: Duration = Duration::from_secs(1);

/// The tax service behind `POST /invoices` and `PUT /invoices/{id}`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// Where it is, an `http://` URL. No default: without one, invoices are answered 503
    /// `not-configured`.
    #[serde(default, serialize_with = "secret::as_url")]
    pub url: Option<Secret>,
    /// How long one question may take. Default: `2s`.
    ///
    /// Too low: a slow but healthy service looks dead. Too high: fewer tries fit into a request.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How often it is asked for one request, 1 to 4. Default: `4`.
    ///
    /// Too low: a hiccup of the service is a 503 of ours. Too high: a sick service gets that many
    /// times its load.
    pub attempts_max: u32,
}

impl Tax {
    /// The waits between the questions of one request.
    pub fn backoff(&self) -> Backoff {
        Backoff::new(PAUSE_FIRST, PAUSE_MOST)
    }

    /// How long all questions of one request take at most, with the waits between them.
    pub fn patience(&self) -> Duration {
        let backoff = self.backoff();
        let waits = (1..self.attempts_max).map(|it| backoff.ceiling(it - 1));
        let asking = self.timeout.saturating_mul(self.attempts_max);
        waits.fold(asking, Duration::saturating_add)
    }
}
