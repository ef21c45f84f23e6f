//! What a history is made of: requests and their ends, and what the tables hold afterwards.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One line of a history. The order of the lines is the order in which things happened.
///
/// `key` names one register: where several tenants or operations are in one history, it is made of
/// all three. `asks` is whatever tells two different requests of a key apart; equal requests have
/// equal ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A request is about to be sent. `call` is a number of its own, also for a retry.
    Invoke {
        /// The request's number.
        call: u64,
        /// When, in milliseconds since the beginning of the run.
        at_ms: u64,
        /// The register.
        key: String,
        /// What is asked for.
        asks: String,
    },
    /// A request was answered.
    Answer {
        /// The request's number.
        call: u64,
        /// When, in milliseconds since the beginning of the run.
        at_ms: u64,
        /// How.
        answer: Answer,
    },
    /// A request will not be answered: the connection broke, or the client's patience did.
    Lost {
        /// The request's number.
        call: u64,
        /// When, in milliseconds since the beginning of the run.
        at_ms: u64,
    },
    /// The tables hold an effect.
    Effect {
        /// The register that it belongs to.
        key: String,
        /// The effect's own name, such as a charge's id.
        id: String,
        /// What it was made for, where the table tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asks: Option<String>,
    },
    /// The ledger holds an answer.
    Record {
        /// The register.
        key: String,
        /// The status that was stored.
        status: u16,
        /// The digest of the body that was stored.
        body: String,
    },
    /// The outbox holds an event of an effect.
    Published {
        /// The effect's own name.
        effect: String,
    },
    /// A consumer's tables hold what an event was applied to.
    Applied {
        /// The consumer.
        consumer: String,
        /// The effect's own name.
        effect: String,
    },
}

/// An answer: what it says of the key, and a digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What it says of the key.
    pub verdict: Verdict,
    /// The HTTP status.
    pub status: u16,
    /// The digest of the body; see [`digest`].
    pub body: String,
}

/// What an answer says of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// This request was executed, and this is its answer.
    Created,
    /// An earlier one was, and this was its answer.
    Replayed,
    /// Somebody is working on the key.
    InFlight,
    /// The key is another request's.
    Mismatch,
    /// This request surely did nothing.
    Refused,
    /// Nobody knows what this request did.
    Unknown,
}

impl Event {
    /// The line as an operator reads it.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("invariant: strings and numbers are JSON")
    }
}

impl Answer {
    /// Reads an answer of the service: its status, its `Idempotency-Status`, the problem's `code`
    /// where it is one, and its body.
    pub fn of(status: u16, idempotency_status: &str, code: Option<&str>, body: &[u8]) -> Self {
        Self {
            verdict: Verdict::of(status, idempotency_status, code),
            status,
            body: digest(body),
        }
    }
}

impl Verdict {
    /// Reads the verdict of an answer of the service. What it does not know is [`Self::Unknown`].
    pub fn of(status: u16, idempotency_status: &str, code: Option<&str>) -> Self {
        let is_kept = status < 500 && code != Some("response-not-replayable");
        match idempotency_status {
            "created" if is_kept => Self::Created,
            "replayed" if is_kept => Self::Replayed,
            // A 503 with the same word has begun, and may be brought to its end by somebody else.
            "in-flight" if status == 409 => Self::InFlight,
            "mismatch" => Self::Mismatch,
            "ignored" if code == Some("store-unavailable") => Self::Refused,
            "ignored" if (400..500).contains(&status) => Self::Refused,
            _ => Self::Unknown,
        }
    }

    /// Whether it carries the key's one answer.
    pub(super) fn is_answer(self) -> bool {
        matches!(self, Self::Created | Self::Replayed)
    }

    /// Whether the request may have had an effect.
    pub(super) fn may_have_done_it(self) -> bool {
        match self {
            Self::Created | Self::Replayed | Self::Unknown => true,
            Self::InFlight | Self::Mismatch | Self::Refused => false,
        }
    }
}

/// The digest by which bodies are compared: SHA-256, in hexadecimal.
pub fn digest(body: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        write!(text, "{byte:02x}").expect("invariant: a string takes every character");
    }
    text
}
