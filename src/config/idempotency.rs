//! The `[idempotency]` section: what is promised to a key, and for how long.

use std::time::Duration;

use ::http::HeaderName;
use serde::{Deserialize, Serialize};

use super::{Secret, duration};
use crate::domain::Fingerprinter;

/// What is promised to a key, and for how long.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// How long a finished operation is replayed to its key. Default: `72h`.
    ///
    /// Too low: a late retry is executed again, which is the one thing to prevent. Too high: the
    /// ledger grows; it holds a row for every operation of this span.
    #[serde(with = "duration")]
    pub retention: Duration,
    /// The largest answer that is stored, in bytes. Default: `262144`.
    ///
    /// Too low: large answers become tombstones, whose retry is told that it succeeded but not
    /// what the answer was. Too high: the ledger's rows grow, and so does every replay.
    pub response_limit_bytes: usize,
    /// The HTTP status for a key that comes again with another request: 422 or 409.
    /// Default: `422`.
    ///
    /// 409 can't be told from "still in flight" by its status alone.
    pub mismatch_status: u16,
    /// Header names that are stored and replayed beside the usual ones. Default: `[]`.
    ///
    /// Too few: a replay lacks a header that the client reads. Too many: values of the first
    /// moment are replayed as if they were fresh.
    pub replay_headers: Vec<String>,
    /// The secret under which fingerprints are taken. Default: `""`.
    ///
    /// Empty: whoever reads the ledger can guess small bodies by trying them. To change
    /// it, first list the new one as previous on every instance, then swap the two: an instance that
    /// has neither answers the retries of the other's operations with 503.
    pub fingerprint_secret: Secret,
    /// Former secrets, still accepted in comparisons. Default: `[]`.
    ///
    /// Too few: retries across a rotation get 503. Too many: every comparison costs one more
    /// digest.
    pub fingerprint_secrets_previous: Vec<Secret>,
    /// The longest time over which clients retry one key. Default: `24h`.
    ///
    /// Too low (lower than what clients do): the check against `retention` proves nothing. Too
    /// high: records are kept that nobody will ask for.
    #[serde(with = "duration")]
    pub client_retry_window: Duration,
    /// How long a duplicate that asks for it (`Prefer: wait=10`) waits for the first one's answer
    /// instead of a 409; 0 switches it off. Default: `10s`.
    ///
    /// Too low: clients come again and again for an answer that takes a while. Too high: connections
    /// of clients stay open for operations that are stuck.
    #[serde(with = "duration")]
    pub max_wait: Duration,
    /// How many such duplicates wait at once in one process. Default: `256`.
    ///
    /// Too low: under load the others get their 409 at once. Too high: each asks the ledger about once
    /// a second while it waits for a first one on another machine.
    pub max_waiters: usize,
}

impl Idempotency {
    /// What makes and compares fingerprints under these secrets.
    pub fn fingerprinter(&self) -> Fingerprinter {
        let previous = self.fingerprint_secrets_previous.iter();
        let previous: Vec<&[u8]> = previous.map(|it| it.expose().as_bytes()).collect();
        Fingerprinter::new(self.fingerprint_secret.expose().as_bytes(), &previous)
    }

    /// The names of the further headers. What is no header's name is left out: `validate` says so.
    pub fn replay_header_names(&self) -> Vec<HeaderName> {
        self.replay_headers
            .iter()
            .filter_map(|it| it.parse().ok())
            .collect()
    }
}
