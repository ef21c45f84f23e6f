//! The `[processor]` section: the card processor behind `POST /payments`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Secret, duration, secret};

/// The card processor behind `POST /payments`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// Where it is, an `http://` URL. No default: without one, `POST /payments` answers 503
    /// `not-configured`.
    #[serde(default, serialize_with = "secret::as_url")]
    pub url: Option<Secret>,
    /// Whether it tells repeats by the `Idempotency-Key` that we send. Default: `true`.
    ///
    /// Off: a charge that was sent and not answered is never sent again; it waits for an operator. On,
    /// where the processor ignores the key: such a charge is made twice.
    pub accepts_keys: bool,
    /// How long one call may take. Default: `2s`.
    ///
    /// Too low: charges that were made look unanswered. Too high: fewer tries before the caller is
    /// told to come again.
    #[serde(with = "duration")]
    pub timeout: Duration,
}
