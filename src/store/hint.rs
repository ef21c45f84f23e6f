//! What the hot path's word is worth: it decides now, or the ledger is asked. Pure.

use std::time::Duration;

use time::OffsetDateTime;

use crate::domain::{Claim, Decision, Epoch, RETRY_AFTER, Record, State, Verdict, decide};
use crate::hot::{Completed, Content, Envelope, Latch};

/// What is known when Redis' word is judged.
#[derive(Debug, Clone, Copy)]
pub struct Knowledge {
    /// The ledger's epoch, where it was confirmed a moment ago.
    pub epoch: Option<Epoch>,
    /// This machine's clock.
    pub now: OffsetDateTime,
    /// For how long a latch is believed without asking.
    pub trust_window: Duration,
}

/// What Redis' word comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Redis may decide this alone.
    Decided(Decision),
    /// The ledger is asked.
    AskLedger {
        /// A latch that names another request. Should the ledger then say that somebody is working
        /// on the key, it is that other request: 422 and not 409.
        foreign: Option<Envelope<Latch>>,
    },
}

/// Judges what Redis holds for the key of `claim`.
///
/// A completed answer counts only within the ledger's present epoch. A latch counts only while it
/// is fresh: an older one may belong to a process that is gone, and a latch from a clock that runs
/// ahead is never fresh. A latch of another request decides nothing alone, because it may be that
/// other request which is the mistaken one: the ledger may hold the record of ours.
pub fn judge(claim: &Claim, held: Envelope, known: Knowledge) -> Hint {
    let (epoch, fingerprint) = (held.epoch, held.fingerprint);
    match held.content {
        Content::Latch(content) => {
            let latch = Envelope {
                epoch,
                fingerprint,
                content,
            };
            judge_latch(latch, claim.compare(&fingerprint), known)
        }
        Content::Completed(_) if known.epoch != Some(epoch) => Hint::ASK,
        Content::Completed(Completed {
            stored,
            completed_at,
            expires_at,
        }) => {
            let state = State::Completed {
                stored,
                completed_at,
                expires_at,
            };
            let record = Record {
                fingerprint: Some(fingerprint),
                state,
            };
            match decide(claim, Some(record), known.now) {
                // Redis never says that a key is new.
                Decision::Execute => Hint::ASK,
                decided @ (Decision::Replay { .. }
                | Decision::InFlight { .. }
                | Decision::Unknown { .. }
                | Decision::Mismatch
                | Decision::Unverifiable) => Hint::Decided(decided),
            }
        }
    }
}

fn judge_latch(latch: Envelope<Latch>, verdict: Verdict, known: Knowledge) -> Hint {
    let age = Duration::try_from(known.now - latch.content.started_at);
    let is_fresh = age.is_ok_and(|it| it <= known.trust_window);
    match verdict {
        Verdict::Same if is_fresh => Hint::Decided(Decision::InFlight {
            retry_after: RETRY_AFTER,
        }),
        Verdict::Same | Verdict::Unknown => Hint::ASK,
        Verdict::Different => Hint::AskLedger {
            foreign: Some(latch),
        },
    }
}

impl Hint {
    /// The ledger is asked, and Redis has nothing to add.
    pub const ASK: Self = Self::AskLedger { foreign: None };
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;
    use time::macros::datetime;

    use super::*;
    use crate::domain::{Algorithm, Fingerprinter, Key, Operation, Stored, Subject, Tenant};

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
    const EPOCH: Epoch = Epoch {
        number: 1,
        timeline: 1,
    };
    const WINDOW: Duration = Duration::from_millis(250);
    const KNOWN: Knowledge = Knowledge {
        epoch: Some(EPOCH),
        now: NOW,
        trust_window: WINDOW,
    };

    fn claim(body: &'static [u8]) -> Claim {
        let key = Key::from_header([&b"k"[..]]).unwrap();
        let scope = (
            Tenant::new("demo").unwrap(),
            Operation::new("POST /charge").unwrap(),
            &key,
        );
        let subject = Subject {
            body: body.into(),
            ..Subject::default()
        };
        Claim::new(
            scope,
            Algorithm::Bytes,
            subject,
            Arc::new(Fingerprinter::new(b"s", &[])),
        )
        .unwrap()
    }

    fn latch(of: &Claim, age: time::Duration) -> Envelope {
        let latch = Latch {
            token: [0; 16],
            started_at: NOW - age,
            attempt: 1,
        };
        Envelope {
            epoch: EPOCH,
            fingerprint: of.fingerprint,
            content: Content::Latch(latch),
        }
    }

    fn answer(of: &Claim, epoch: Epoch, expires_at: OffsetDateTime) -> Envelope {
        let stored = Stored::TooLarge {
            status: StatusCode::CREATED,
        };
        let completed = Completed {
            stored,
            completed_at: NOW,
            expires_at,
        };
        Envelope {
            epoch,
            fingerprint: of.fingerprint,
            content: Content::Completed(completed),
        }
    }

    #[test]
    fn a_fresh_latch_is_in_flight_and_an_old_one_a_hint() {
        let ours = claim(b"a");
        let fresh = judge(
            &ours,
            latch(&ours, time::Duration::milliseconds(250)),
            KNOWN,
        );
        assert_eq!(
            fresh,
            Hint::Decided(Decision::InFlight {
                retry_after: RETRY_AFTER
            })
        );
        // Our clock, or that of the latch's owner, five minutes off in either direction.
        for age in [251, 300_000, -1, -300_000] {
            let hint = judge(
                &ours,
                latch(&ours, time::Duration::milliseconds(age)),
                KNOWN,
            );
            assert_eq!(hint, Hint::ASK, "{age} ms");
        }
    }

    #[test]
    fn a_latch_of_another_request_decides_nothing_alone() {
        let hint = judge(
            &claim(b"a"),
            latch(&claim(b"b"), time::Duration::ZERO),
            KNOWN,
        );
        assert!(matches!(hint, Hint::AskLedger { foreign: Some(_) }));
    }

    #[test]
    fn an_answer_counts_only_within_the_confirmed_epoch() {
        let ours = claim(b"a");
        let later = NOW + WINDOW;
        let is_replay = |held, known| {
            matches!(
                judge(&ours, held, known),
                Hint::Decided(Decision::Replay { .. })
            )
        };
        assert!(is_replay(answer(&ours, EPOCH, later), KNOWN));
        for other in [
            Epoch { number: 2, ..EPOCH },
            Epoch {
                timeline: 2,
                ..EPOCH
            },
        ] {
            assert!(!is_replay(answer(&ours, other, later), KNOWN));
        }
        assert!(!is_replay(
            answer(&ours, EPOCH, later),
            Knowledge {
                epoch: None,
                ..KNOWN
            }
        ));
        assert!(
            !is_replay(answer(&ours, EPOCH, NOW), KNOWN),
            "an expired answer is none"
        );
    }

    #[test]
    fn a_clock_that_is_five_minutes_off_replays_or_asks_and_decides_nothing_else() {
        const OFF: time::Duration = time::Duration::minutes(5);
        let (ours, soon) = (claim(b"a"), NOW + WINDOW);
        let replays = |expires_at, now| {
            let held = answer(&ours, EPOCH, expires_at);
            match judge(&ours, held, Knowledge { now, ..KNOWN }) {
                Hint::Decided(Decision::Replay { .. }) => true,
                Hint::AskLedger { foreign: None } => false,
                Hint::AskLedger { foreign: Some(_) } => panic!("it is no latch"),
                Hint::Decided(decision) => panic!("{decision:?}"),
            }
        };
        for now in [NOW - OFF, NOW, NOW + OFF] {
            assert!(replays(NOW + time::Duration::hours(72), now), "{now}");
        }
        assert!(!replays(soon, NOW + OFF), "a fast clock asks too early");
        // A slow one repeats the recorded answer for as long as it is slow, and no longer.
        assert!(replays(soon, NOW - OFF));
        assert!(!replays(soon - OFF, NOW - OFF + WINDOW));
    }

    #[test]
    fn an_answer_to_another_request_is_a_mismatch() {
        let hint = judge(
            &claim(b"a"),
            answer(&claim(b"b"), EPOCH, NOW + WINDOW),
            KNOWN,
        );
        assert_eq!(hint, Hint::Decided(Decision::Mismatch));
    }
}
