//! Histories written by hand.

use oncely::history::{Answer, Event, Expect, Rule, Verdict, check, digest};
use std::time::Duration;

/// A request that a script sends.
pub(super) const PAY: &str = "42 USD";

/// What is asked for by somebody else under the same key.
pub(super) const OTHER: &str = "43 USD";

/// A history under construction. Its clock goes on by one for each line.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) events: Vec<Event>,
    at_ms: u64,
}

impl Script {
    /// A charge, retried after its answer was lost, with all that the tables hold of it.
    pub(super) fn sound() -> Self {
        let mut it = Self::default();
        it.invoke(1, PAY);
        it.lost(1);
        it.invoke(2, PAY);
        it.answer(2, Verdict::InFlight, 409, "busy");
        it.invoke(3, PAY);
        it.answer(3, Verdict::Replayed, 201, "receipt");
        it.effect("c-1", PAY);
        it.record(201, "receipt");
        it.published("c-1");
        it.applied("journal", "c-1");
        it
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.at_ms += ms;
    }

    pub(super) fn invoke(&mut self, call: u64, asks: &str) {
        let at_ms = self.tick();
        self.events.push(Event::Invoke {
            call,
            at_ms,
            key: "k".to_owned(),
            asks: asks.to_owned(),
        });
    }

    pub(super) fn answer(&mut self, call: u64, verdict: Verdict, status: u16, body: &str) {
        let at_ms = self.tick();
        self.events.push(Event::Answer {
            call,
            at_ms,
            answer: Answer {
                verdict,
                status,
                body: digest(body.as_bytes()),
            },
        });
    }

    pub(super) fn lost(&mut self, call: u64) {
        let at_ms = self.tick();
        self.events.push(Event::Lost { call, at_ms });
    }

    pub(super) fn effect(&mut self, id: &str, asks: &str) {
        self.events.push(Event::Effect {
            key: "k".to_owned(),
            id: id.to_owned(),
            asks: Some(asks.to_owned()),
        });
    }

    pub(super) fn record(&mut self, status: u16, body: &str) {
        self.events.push(Event::Record {
            key: "k".to_owned(),
            status,
            body: digest(body.as_bytes()),
        });
    }

    pub(super) fn published(&mut self, effect: &str) {
        self.events.push(Event::Published {
            effect: effect.to_owned(),
        });
    }

    pub(super) fn applied(&mut self, consumer: &str, effect: &str) {
        self.events.push(Event::Applied {
            consumer: consumer.to_owned(),
            effect: effect.to_owned(),
        });
    }

    /// Without the lines that `is_gone` names.
    pub(super) fn without(mut self, is_gone: impl Fn(&Event) -> bool) -> Self {
        self.events.retain(|it| !is_gone(it));
        self
    }

    /// The rules that it breaks, once each.
    pub(super) fn broken(&self) -> Vec<Rule> {
        let report = check(&self.events, &strict());
        for violation in &report.violations {
            let last = *violation.lines.last().unwrap();
            assert!(last <= self.events.len() && 0 < violation.lines[0]);
            let text = violation.to_string();
            assert!(text.contains(violation.rule.meaning()), "{text}");
        }
        let mut rules: Vec<Rule> = report.violations.iter().map(|it| it.rule).collect();
        rules.dedup();
        rules
    }

    fn tick(&mut self) -> u64 {
        self.at_ms += 1;
        self.at_ms
    }
}

/// Everything is held against everything.
pub(super) fn strict() -> Expect {
    Expect {
        effects: true,
        records: true,
        events: true,
        consumers: vec!["journal".to_owned()],
        in_flight_max: Duration::from_secs(5),
    }
}
