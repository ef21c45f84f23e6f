//! The cell's small words, and the store's own: records, envelopes and decisions.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use oncely::domain::{
    Algorithm, Claim, Decision, Epoch, Fingerprinter, Key, Operation, RETRY_AFTER, Record,
    Response, State, Stored, Subject, Tenant,
};
use oncely::hot::{Completed, Content, Envelope, Latch};
use oncely::store::Knowledge;
use time::OffsetDateTime;
use time::macros::datetime;

use super::{Hot, Reply, Row, RowState, Who};

/// How many different requests there are.
const N_BODIES: u8 = 4;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const LATER: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);
const TRUST_WINDOW: Duration = Duration::from_millis(250);

/// The bodies of answers: which request made it, in one byte.
static ANSWERS: [u8; 64] = {
    let mut all = [0; 64];
    let mut at = 0;
    while at < 64 {
        all[at as usize] = at;
        at += 1;
    }
    all
};

/// The claims of requests that differ in their bodies, all under one key.
static CLAIMS: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    let fingerprinter = Arc::new(Fingerprinter::new(b"proof", &[]));
    let claim = |body: u8| {
        let key = Key::from_header([&b"k"[..]]).expect("invariant: a key");
        let scope = (
            Tenant::new("demo").expect("invariant: a tenant"),
            Operation::new("POST /charge").expect("invariant: an operation"),
            &key,
        );
        let subject = Subject {
            body: vec![body].into(),
            ..Subject::default()
        };
        Claim::new(scope, Algorithm::Bytes, subject, Arc::clone(&fingerprinter))
            .expect("invariant: bytes need no canonical form")
    };
    (0..N_BODIES).map(claim).collect()
});

/// The claim of a request.
pub(super) fn claim(body: u8) -> &'static Claim {
    &CLAIMS[usize::from(body)]
}

/// The epoch, as the domain has it.
pub(super) fn epoch(epoch: u8) -> Epoch {
    Epoch {
        number: 1,
        timeline: u32::from(epoch),
    }
}

/// What is known when Redis' word is judged.
pub(super) fn knowledge(watched: u8) -> Knowledge {
    Knowledge {
        epoch: Some(epoch(watched)),
        now: NOW,
        trust_window: TRUST_WINDOW,
    }
}

/// The answer of `by`.
fn stored(by: Who) -> Stored {
    let at = usize::from(by);
    Stored::Whole(Response {
        status: StatusCode::CREATED,
        headers: HeaderMap::new(),
        body: text(at),
    })
}

fn text(at: usize) -> bytes::Bytes {
    bytes::Bytes::from_static(&ANSWERS[at..=at])
}

/// A record, as the ledger reads it.
pub(super) fn record(row: Row) -> Record {
    let state = match row.state {
        RowState::InProgress | RowState::Leased { .. } => State::InProgress {
            retry_after: RETRY_AFTER,
        },
        RowState::Unknown { .. } => State::Unknown,
        RowState::Done(by) => State::Completed {
            stored: stored(by),
            completed_at: NOW,
            expires_at: LATER,
        },
    };
    Record {
        fingerprint: Some(claim(row.body).fingerprint),
        state,
    }
}

/// A value of Redis, as the hot path reads it; `None` where there is none. `is_old`: a latch is older
/// than the trust window.
pub(super) fn envelope(hot: Hot, is_old: bool) -> Option<Envelope> {
    let age = if is_old {
        TRUST_WINDOW * 2
    } else {
        Duration::ZERO
    };
    match hot {
        Hot::Nothing | Hot::Failure => None,
        Hot::Latch { by, body } => Some(Envelope {
            epoch: epoch(0),
            fingerprint: claim(body).fingerprint,
            content: Content::Latch(Latch {
                token: [by; 16],
                started_at: NOW - age,
                attempt: 1,
            }),
        }),
        Hot::Answer {
            by,
            body,
            epoch: of,
        } => Some(Envelope {
            epoch: epoch(of),
            fingerprint: claim(body).fingerprint,
            content: Content::Completed(Completed {
                stored: stored(by),
                completed_at: NOW,
                expires_at: LATER,
            }),
        }),
    }
}

/// What a decision answers, and whose latch a foreign one is.
pub(super) fn reply(decision: Decision) -> Reply {
    match decision {
        Decision::Replay { stored, .. } => match stored {
            Stored::Whole(response) => Reply::Done(response.body[0]),
            Stored::TooLarge { .. } => unreachable!("no cell stores a tombstone"),
        },
        Decision::InFlight { .. } => Reply::InFlight,
        Decision::Mismatch => Reply::Mismatch,
        Decision::Unknown { .. } => Reply::OperationUnknown,
        Decision::Execute | Decision::Unverifiable => {
            unreachable!("no cell's record is expired, nor made with another secret")
        }
    }
}
