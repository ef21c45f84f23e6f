//! The decision: given what is known of a key, what happens to the request. Pure.
//!
//! Both tiers bring their record here, so that Redis and Postgres cannot disagree on the rules.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Claim, Identity, Record, State, Stored, Verdict};

/// How long to wait after a 409.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is known of the key: run the operation.
    Execute,
    /// The operation is done: repeat its answer.
    Replay {
        /// The answer.
        stored: Stored,
        /// When it was first given.
        completed_at: OffsetDateTime,
    },
    /// Somebody is working on it: 409.
    InFlight {
        /// How long to wait before asking again.
        retry_after: Duration,
    },
    /// A call to somebody else was sent and its end is not known. It is not sent again: 409, until an
    /// operator has looked.
    Unknown {
        /// Which record it is.
        identity: Identity,
    },
    /// The key was used for another request: 422.
    Mismatch,
    /// A record is there that this process cannot compare with the request. Neither run nor replay.
    Unverifiable,
}

/// Decides on `claim`, given the record that `now` exists, or none.
///
/// A mismatch comes before everything else: also while the first request is in flight, and also
/// where its answer could not be stored. An expired record is no record.
pub fn decide(claim: &Claim, record: Option<Record>, now: OffsetDateTime) -> Decision {
    let Some(Record { fingerprint, state }) = record else {
        return Decision::Execute;
    };
    if let State::Completed { expires_at, .. } = &state
        && *expires_at <= now
    {
        return Decision::Execute;
    }
    match fingerprint.map(|it| claim.compare(&it)) {
        Some(Verdict::Different) => return Decision::Mismatch,
        Some(Verdict::Unknown) => return Decision::Unverifiable,
        Some(Verdict::Same) | None => (),
    }
    match state {
        State::InProgress { retry_after } => Decision::InFlight { retry_after },
        State::Unknown => Decision::Unknown {
            identity: claim.identity,
        },
        State::Completed {
            stored,
            completed_at,
            ..
        } => Decision::Replay {
            stored,
            completed_at,
        },
    }
}

/// Decides on `claim`, given a record that the ledger has just shown: its own clock has left out what
/// it calls expired.
pub fn decide_found(claim: &Claim, record: Record) -> Decision {
    decide(claim, Some(record), OffsetDateTime::UNIX_EPOCH)
}

/// Another transaction works on the key. What it was asked for is visible to nobody but Redis: where
/// a latch there `is_foreign`, of another request, this one is a mismatch, unless the ledger has a
/// record and so the last word.
pub fn decide_busy(claim: &Claim, is_foreign: bool, found: Option<Record>) -> Decision {
    match found {
        Some(record) => decide_found(claim, record),
        None if is_foreign => Decision::Mismatch,
        None => Decision::InFlight {
            retry_after: RETRY_AFTER,
        },
    }
}

/// Another transaction stored a record for this key while ours ran, or another attempt took ours over;
/// `found` is what the ledger showed then. Nothing, where it has expired since or was a claim that was
/// rolled back.
pub fn decide_lost(claim: &Claim, found: Option<Record>) -> Decision {
    decide_busy(claim, false, found)
}

/// COMMIT was sent and no answer came; `found` is what the ledger showed then. A record there is the
/// truth. Its absence is not, because the server may still be at it: `None`, nobody knows.
pub fn decide_unanswered(claim: &Claim, found: Option<Record>) -> Option<Decision> {
    found.map(|record| decide_found(claim, record))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;
    use time::macros::datetime;

    use super::*;
    use crate::domain::{Algorithm, Fingerprinter, Key, Operation, Subject, Tenant};

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
    const WAIT: Duration = Duration::from_secs(1);

    fn claim(secret: &[u8], body: &'static [u8]) -> Claim {
        let scope = (
            Tenant::new("demo").unwrap(),
            Operation::new("POST /charge").unwrap(),
            &Key::from_header([&b"k"[..]]).unwrap(),
        );
        let subject = Subject {
            body: body.into(),
            ..Subject::default()
        };
        Claim::new(
            scope,
            Algorithm::Bytes,
            subject,
            Arc::new(Fingerprinter::new(secret, &[])),
        )
        .unwrap()
    }

    fn completed(stored: Stored, expires_at: OffsetDateTime) -> State {
        State::Completed {
            stored,
            completed_at: NOW,
            expires_at,
        }
    }

    fn tombstone() -> Stored {
        Stored::TooLarge {
            status: StatusCode::OK,
        }
    }

    fn decide_on(fingerprint: Option<&Claim>, state: State) -> Decision {
        let fingerprint = fingerprint.map(|it| it.fingerprint);
        decide(&claim(b"s", b"a"), Some(Record { fingerprint, state }), NOW)
    }

    #[test]
    fn a_new_key_executes() {
        assert_eq!(decide(&claim(b"s", b"a"), None, NOW), Decision::Execute);
    }

    #[test]
    fn every_pair_of_state_and_fingerprint_has_its_decision() {
        let (same, other, foreign) = (claim(b"s", b"a"), claim(b"s", b"b"), claim(b"lost", b"a"));
        let later = NOW + WAIT;
        let in_progress = || State::InProgress { retry_after: WAIT };
        let done = || completed(tombstone(), later);
        let replay = Decision::Replay {
            stored: tombstone(),
            completed_at: NOW,
        };
        let in_flight = Decision::InFlight { retry_after: WAIT };
        for (fingerprint, state, expected) in [
            (Some(&same), in_progress(), in_flight.clone()),
            (None, in_progress(), in_flight),
            (Some(&other), in_progress(), Decision::Mismatch),
            (Some(&foreign), in_progress(), Decision::Unverifiable),
            (Some(&same), done(), replay),
            (
                Some(&same),
                State::Unknown,
                Decision::Unknown {
                    identity: same.identity,
                },
            ),
            (Some(&other), State::Unknown, Decision::Mismatch),
            (Some(&foreign), State::Unknown, Decision::Unverifiable),
            (Some(&other), done(), Decision::Mismatch),
            (Some(&foreign), done(), Decision::Unverifiable),
        ] {
            assert_eq!(decide_on(fingerprint, state.clone()), expected, "{state:?}");
        }
    }

    #[test]
    fn the_ledger_has_the_last_word_and_its_silence_is_no_word() {
        let ours = claim(b"s", b"a");
        let record = |of: &Claim| Record {
            fingerprint: Some(of.fingerprint),
            state: completed(tombstone(), NOW),
        };
        let replay = Decision::Replay {
            stored: tombstone(),
            completed_at: NOW,
        };
        let in_flight = Decision::InFlight {
            retry_after: RETRY_AFTER,
        };
        for is_foreign in [true, false] {
            let decision = decide_busy(&ours, is_foreign, Some(record(&ours)));
            assert_eq!(decision, replay, "{is_foreign}");
        }
        assert_eq!(decide_busy(&ours, true, None), Decision::Mismatch);
        assert_eq!(decide_busy(&ours, false, None), in_flight);
        assert_eq!(decide_lost(&ours, None), in_flight);
        let other = record(&claim(b"s", b"b"));
        assert_eq!(decide_lost(&ours, Some(other)), Decision::Mismatch);
        assert_eq!(decide_unanswered(&ours, Some(record(&ours))), Some(replay));
        assert_eq!(decide_unanswered(&ours, None), None);
    }

    #[test]
    fn an_expired_record_is_no_record() {
        let (same, other) = (claim(b"s", b"a"), claim(b"s", b"b"));
        for fingerprint in [&same, &other] {
            let decision = decide_on(Some(fingerprint), completed(tombstone(), NOW));
            assert_eq!(decision, Decision::Execute);
        }
    }
}
