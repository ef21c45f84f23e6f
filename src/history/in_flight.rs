//! Rule 7: 409s of which nobody is the cause any more end within a bound.

use std::time::Duration;

use super::event::Verdict;
use super::gather::Register;
use super::violation::{Rule, Violation};

/// What the 409s of one key came to.
pub(super) struct Runs {
    pub(super) longest_ms: u64,
    pub(super) violation: Option<Violation>,
}

/// One end of a request, or its beginning.
#[derive(Clone, Copy)]
struct Moment {
    line: usize,
    at_ms: u64,
    is_in_flight: bool,
    is_end: bool,
}

/// Measures how old a 409 is when it is given: the time since the last request that may have been
/// at work has ended. While such a one is open, a 409 is just the truth.
///
/// A lost request counts as ended when its client gave it up; what its server goes on to do is in
/// the bound.
pub(super) fn check(key: &str, register: &Register<'_>, bound: Duration) -> Runs {
    let mut moments = Vec::new();
    for call in &register.calls {
        let ended = call.ended.as_ref();
        let is_in_flight = ended
            .and_then(|it| it.answer)
            .is_some_and(|it| it.verdict == Verdict::InFlight);
        let begun = Moment {
            line: call.line,
            at_ms: call.at_ms,
            is_in_flight,
            is_end: false,
        };
        moments.push(begun);
        moments.extend(ended.map(|it| Moment {
            line: it.line,
            at_ms: it.at_ms,
            is_end: true,
            ..begun
        }));
    }
    moments.sort_unstable_by_key(|it| it.line);
    let bound_ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    let mut runs = Runs {
        longest_ms: 0,
        violation: None,
    };
    let Some(first) = moments.first().copied() else {
        return runs;
    };
    let mut n_open = 0_usize;
    // When somebody was last at work, and the line that says so.
    let mut last = (first.at_ms, first.line);
    for moment in moments {
        match (moment.is_in_flight, moment.is_end) {
            (false, false) => n_open += 1,
            (false, true) => {
                n_open = n_open.saturating_sub(1);
                last = (moment.at_ms, moment.line);
            }
            (true, true) if n_open == 0 => {
                let age_ms = moment.at_ms.saturating_sub(last.0);
                runs.longest_ms = runs.longest_ms.max(age_ms);
                if bound_ms < age_ms && runs.violation.is_none() {
                    runs.violation = Some(Violation {
                        rule: Rule::InFlightTooLong,
                        key: key.to_owned(),
                        lines: vec![last.1, moment.line],
                        seen: format!("409, {age_ms} ms after anybody worked on it"),
                    });
                }
            }
            (true, _) => (),
        }
    }
    runs
}
