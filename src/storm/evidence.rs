//! The evidence: what was tried, what was seen, what the tables hold, and every breach.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::customer::End;
use super::inspect::Found;
use super::metrics::Counters;
use super::sampler::Sample;
use super::timeline::{Got, Mark};
use crate::history::{Expect, Report, check};
use crate::telemetry::{messages, metrics};

/// How long a key may answer 409 though nobody works on it: a lease of the settings that a storm
/// uses, a statement and a transaction given up, and one interval of retries; on a slow machine.
pub(super) const IN_FLIGHT_MAX: Duration = Duration::from_secs(15);

/// What a storm came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Evidence {
    pub(crate) seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sabotage: Option<String>,
    pub(crate) seconds: f64,
    pub(crate) operations: Operations,
    pub(crate) requests: Requests,
    /// How often each kind of fault happened.
    pub(crate) faults: BTreeMap<&'static str, usize>,
    pub(crate) tables: Tables,
    /// What the processes have counted. Those that were killed may have counted a little more.
    pub(crate) metrics: Metrics,
    pub(crate) violations: Vec<Breach>,
    /// Operations by the number of their attempts.
    pub(crate) attempts: BTreeMap<u32, usize>,
    /// How long operations took, in seconds, sorted.
    pub(crate) answered_after: Vec<f64>,
    /// How long receipts took after their charges, in seconds, sorted.
    pub(crate) receipts_after: Vec<f64>,
    pub(crate) lag: Vec<Sample>,
    pub(crate) marks: Vec<Mark>,
    #[serde(skip)]
    pub(crate) answers: Vec<Got>,
}

/// What was ordered.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Operations {
    /// That are to take effect.
    pub(crate) planned: usize,
    /// That were told that they have.
    pub(crate) done: usize,
    /// Cards that were declined, on top of the planned ones.
    pub(crate) declined: usize,
    /// How many, of both, gave the same answer when they were asked once more at the end.
    pub(crate) confirmed: usize,
}

/// What went over the wire, as the history has it.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Requests {
    pub(crate) sent: usize,
    pub(crate) created: usize,
    pub(crate) replayed: usize,
    pub(crate) in_flight: usize,
    pub(crate) mismatches: usize,
    pub(crate) refused: usize,
    /// Without an answer, or with one that says that nobody knows.
    pub(crate) unknown: usize,
    /// The oldest 409 of a key that nobody worked on any more, in milliseconds.
    pub(crate) in_flight_longest_ms: u64,
}

/// What the tables hold.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Tables {
    pub(crate) charges: usize,
    pub(crate) payments: usize,
    pub(crate) events: usize,
    /// By consumer: journal, receipts, inventory.
    pub(crate) applied: BTreeMap<String, usize>,
}

/// What the processes have counted.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Metrics {
    pub(crate) requests: u64,
    pub(crate) new: u64,
    pub(crate) replayed: u64,
    pub(crate) in_flight: u64,
    pub(crate) mismatches: u64,
    pub(crate) unavailable: u64,
    pub(crate) outcome_unknown: u64,
    pub(crate) third_attempts: u64,
    pub(crate) events_published: u64,
    pub(crate) events_republished: u64,
    pub(crate) broker_changes: u64,
    pub(crate) effects_applied: u64,
    pub(crate) inbox_duplicates: u64,
    pub(crate) dead_letters: u64,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Breach {
    pub(crate) rule: String,
    /// The record's id in the ledger, or the effect's. Never the key itself.
    pub(crate) of: String,
    pub(crate) seen: String,
    pub(crate) means: String,
    /// The lines of the history that show it.
    pub(crate) lines: Vec<usize>,
}

impl Evidence {
    /// The last line: what it all came to.
    pub(crate) fn verdict(&self) -> String {
        let effects = self.tables.charges + self.tables.payments;
        format!(
            "{} operations, {} effects applied, {} violations",
            grouped(self.operations.planned),
            grouped(effects),
            grouped(self.violations.len()),
        )
    }

    /// The evidence as rows: where it is from, what it is, and how much.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String, String)> {
        let mut rows = Vec::new();
        let mut push = |group: &'static str, name: &str, n: usize| {
            rows.push((group, name.to_owned(), grouped(n)));
        };
        let (operations, requests) = (&self.operations, &self.requests);
        push("customers", "operations", operations.planned);
        push("", "told that they are done", operations.done);
        push("", "declined cards, on top", operations.declined);
        push(
            "",
            "the same answer when asked once more",
            operations.confirmed,
        );
        let attempts = |is: fn(u32) -> bool| {
            let some = self.attempts.iter().filter(|(n, _)| is(**n));
            some.map(|(_, n_operations)| n_operations).sum()
        };
        push("attempts", "operations with one", attempts(|it| it <= 1));
        push("", "with two", attempts(|it| it == 2));
        push("", "with three or more", attempts(|it| 2 < it));
        push("requests", "sent", requests.sent);
        push("", "executed", requests.created);
        push("", "replayed", requests.replayed);
        push("", "409, the key is in flight", requests.in_flight);
        push(
            "",
            "422, another request under the key",
            requests.mismatches,
        );
        push("", "503, surely nothing was done", requests.refused);
        push("", "lost, or nobody knows", requests.unknown);
        for (at, (fault, n)) in self.faults.iter().enumerate() {
            push(if at == 0 { "faults" } else { "" }, fault, *n);
        }
        push("tables", "charges", self.tables.charges);
        push("", "payments", self.tables.payments);
        push("", "events", self.tables.events);
        for (consumer, n) in &self.tables.applied {
            push("", &format!("applied by {consumer}"), *n);
        }
        for (at, (name, n)) in self.metrics.rows().into_iter().enumerate() {
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            push(if at == 0 { "metrics" } else { "" }, name, n);
        }
        let longest = Duration::from_millis(requests.in_flight_longest_ms);
        let longest = format!("{:.1} s", longest.as_secs_f64());
        let name = "oldest 409 of a key that nobody worked on any more";
        rows.push(("bounds", name.to_owned(), longest));
        rows
    }
}

impl Metrics {
    fn rows(&self) -> [(&'static str, u64); 14] {
        [
            ("requests with a key", self.requests),
            ("executed", self.new),
            ("replayed: duplicates absorbed", self.replayed),
            ("409 in flight", self.in_flight),
            ("422 mismatch", self.mismatches),
            ("503 store unavailable", self.unavailable),
            ("503 outcome unknown", self.outcome_unknown),
            ("third and later attempts", self.third_attempts),
            ("events published", self.events_published),
            ("events published again", self.events_republished),
            ("broker changes noticed", self.broker_changes),
            ("effects applied by consumers", self.effects_applied),
            ("inbox: duplicates absorbed", self.inbox_duplicates),
            ("dead letters", self.dead_letters),
        ]
    }
}

/// The operations, as they ended.
pub(super) fn operations(n_planned: usize, ends: &[End], n_confirmed: usize) -> Operations {
    let n = |is: fn(u16) -> bool| ends.iter().filter(|it| it.status.is_some_and(is)).count();
    Operations {
        planned: n_planned,
        done: n(|it| it == 201),
        declined: n(|it| it == 402),
        confirmed: n_confirmed,
    }
}

/// What the two histories say, together.
pub(super) fn requests(reports: &[&Report]) -> Requests {
    let sum = |of: fn(&Report) -> usize| reports.iter().map(|it| of(it)).sum();
    let longest = reports.iter().map(|it| it.in_flight_longest_ms).max();
    Requests {
        sent: sum(|it| it.n_calls),
        created: sum(|it| it.n_created),
        replayed: sum(|it| it.n_replayed),
        in_flight: sum(|it| it.n_in_flight),
        mismatches: sum(|it| it.n_mismatches),
        refused: sum(|it| it.n_refused),
        unknown: sum(|it| it.n_unknown),
        in_flight_longest_ms: longest.unwrap_or_default(),
    }
}

/// Holds both histories against the promise.
pub(super) fn reports(history: &super::history::History) -> [Report; 2] {
    let consumers = ["journal", "receipts", "inventory"].map(str::to_owned);
    let charges = Expect {
        effects: true,
        records: true,
        events: true,
        consumers: consumers.to_vec(),
        in_flight_max: IN_FLIGHT_MAX,
    };
    let payments = Expect {
        consumers: Vec::new(),
        ..charges.clone()
    };
    [
        check(&history.charges.events(), &charges),
        check(&history.payments.events(), &payments),
    ]
}

/// What the tables hold, in numbers.
pub(super) fn tables(found: &Found) -> Tables {
    Tables {
        charges: found.n_charges,
        payments: found.n_payments,
        events: found.n_events,
        applied: found.applied.clone().into_iter().collect(),
    }
}

/// What the processes have counted.
pub(super) fn counted(counters: &Counters) -> Metrics {
    let outcome = |it| counters.sum(metrics::REQUESTS, &[("outcome", it)]);
    let attempt = |it| counters.sum(metrics::ATTEMPTS, &[("attempt", it)]);
    let all = |name| counters.sum(name, &[]);
    Metrics {
        requests: all(metrics::REQUESTS),
        new: outcome("new"),
        replayed: outcome("replayed"),
        in_flight: outcome("in_flight"),
        mismatches: outcome("mismatch"),
        unavailable: outcome("unavailable"),
        outcome_unknown: outcome("outcome_unknown"),
        third_attempts: attempt("3") + attempt("4+"),
        events_published: all(messages::PUBLISHED),
        events_republished: all(messages::REPUBLISHED),
        broker_changes: all(messages::BROKER_CHANGES),
        effects_applied: all(messages::APPLIED),
        inbox_duplicates: all(messages::DUPLICATES),
        dead_letters: all(messages::DEAD_LETTERS),
    }
}

/// Every breach of the histories, and every other one.
pub(super) fn breaches(reports: &[&Report], found: &Found) -> Vec<Breach> {
    let seen = reports.iter().flat_map(|it| &it.violations);
    let seen = seen.map(|it| Breach {
        rule: format!("{:?}", it.rule),
        of: it.key.clone(),
        seen: it.seen.clone(),
        means: it.rule.meaning().to_owned(),
        lines: it.lines.clone(),
    });
    let other = found.breaches.iter().map(|(rule, of, seen)| Breach {
        rule: (*rule).to_owned(),
        of: of.clone(),
        seen: seen.clone(),
        means: meaning(rule).to_owned(),
        lines: Vec::new(),
    });
    seen.chain(other).collect()
}

/// What a rule of our own means for whoever pays.
pub(super) fn meaning(rule: &str) -> &'static str {
    match rule {
        "journal-unbalanced" => "the books do not add up",
        "dead-letter" => "a consumer has given a payment up; somebody has to decide",
        "processor-charges" => "the card was not charged once",
        "never-answered" => "a customer does not know whether he has paid",
        "another-answer-later" => "a customer who asks again is told something else",
        _ => "events have not arrived in time; consumers lack payments",
    }
}

/// A number as people read it: `1,000`.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(n), text);
        }
    }
}
