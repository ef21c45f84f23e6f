//! The check: what is expected, and what it came to.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::event::{Event, Verdict};
use super::gather::{Ended, gather};
use super::violation::Violation;
use super::{books, in_flight, register};

/// What the history is held against, besides the rules that always hold.
#[derive(Debug, Clone)]
pub struct Expect {
    /// Whether the log holds all effects. Without them, answers are compared with each other only.
    pub effects: bool,
    /// Whether the log holds all records of the ledger.
    pub records: bool,
    /// Whether the log holds all events of the outbox, and each effect has one.
    pub events: bool,
    /// The consumers that have applied each event, and whose applications the log holds.
    pub consumers: Vec<String>,
    /// How long a key may answer 409 though nobody works on it: the longest a dead holder is
    /// waited for, and one interval of retries.
    pub in_flight_max: Duration,
}

/// What a check came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The breaches, in the order of keys.
    pub violations: Vec<Violation>,
    /// How many keys there were.
    pub n_keys: usize,
    /// How many keys were answered.
    pub n_answered: usize,
    /// How many requests there were.
    pub n_calls: usize,
    /// How many of them were executed and said so.
    pub n_created: usize,
    /// How many were replayed.
    pub n_replayed: usize,
    /// How many met somebody at work.
    pub n_in_flight: usize,
    /// How many were mismatches.
    pub n_mismatches: usize,
    /// How many surely did nothing.
    pub n_refused: usize,
    /// How many have an end that nobody knows, the lost ones included.
    pub n_unknown: usize,
    /// How many effects there are.
    pub n_effects: usize,
    /// The longest run of 409s of which nobody was the cause, in milliseconds.
    pub in_flight_longest_ms: u64,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            effects: true,
            records: false,
            events: false,
            consumers: Vec::new(),
            in_flight_max: Duration::from_secs(30),
        }
    }
}

/// Holds `events` against the rules. The time is linear in their number.
pub fn check(events: &[Event], expect: &Expect) -> Report {
    let history = gather(events);
    let mut report = Report {
        n_keys: history.keys.len(),
        n_calls: history.keys.values().map(|it| it.calls.len()).sum(),
        n_effects: history.effects.len(),
        ..Report::default()
    };
    for (key, register) in &history.keys {
        for call in &register.calls {
            report.count(call.ended.as_ref());
        }
        let is_answered = register.calls.iter().any(|it| it.answer().is_some());
        report.n_answered += usize::from(is_answered);
        report
            .violations
            .extend(register::check(key, register, expect));
        let runs = in_flight::check(key, register, expect.in_flight_max);
        report.in_flight_longest_ms = report.in_flight_longest_ms.max(runs.longest_ms);
        report.violations.extend(runs.violation);
    }
    report.violations.extend(books::check(&history, expect));
    report.violations.extend(history.malformed);
    report
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    fn count(&mut self, ended: Option<&Ended<'_>>) {
        let verdict = ended
            .and_then(|it| it.answer)
            .map_or(Verdict::Unknown, |it| it.verdict);
        let n = match verdict {
            Verdict::Created => &mut self.n_created,
            Verdict::Replayed => &mut self.n_replayed,
            Verdict::InFlight => &mut self.n_in_flight,
            Verdict::Mismatch => &mut self.n_mismatches,
            Verdict::Refused => &mut self.n_refused,
            Verdict::Unknown => &mut self.n_unknown,
        };
        *n += 1;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} keys, {} requests, {} effects, {} violations",
            self.n_keys,
            self.n_calls,
            self.n_effects,
            self.violations.len()
        )?;
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        Ok(())
    }
}
