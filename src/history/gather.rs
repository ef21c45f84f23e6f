//! Sorts the lines of a log by the register that they belong to.

use std::collections::{BTreeMap, HashMap};

use super::event::{Answer, Event};
use super::violation::{Rule, Violation};

/// A history by its registers and effects.
#[derive(Debug, Default)]
pub(super) struct History<'a> {
    pub(super) keys: BTreeMap<&'a str, Register<'a>>,
    /// The effects by their own names.
    pub(super) effects: BTreeMap<&'a str, Effect<'a>>,
    pub(super) malformed: Vec<Violation>,
}

/// What there is about one key, each in the order of the lines.
#[derive(Debug, Default)]
pub(super) struct Register<'a> {
    pub(super) calls: Vec<Call<'a>>,
    pub(super) effects: Vec<(usize, Option<&'a str>)>,
    pub(super) records: Vec<(usize, u16, &'a str)>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) asks: &'a str,
    pub(super) line: usize,
    pub(super) at_ms: u64,
    /// `None` where the log ends before it does.
    pub(super) ended: Option<Ended<'a>>,
}

/// A request's end.
#[derive(Debug)]
pub(super) struct Ended<'a> {
    pub(super) line: usize,
    pub(super) at_ms: u64,
    /// `None` where it was lost.
    pub(super) answer: Option<&'a Answer>,
}

/// What there is about one effect. `None` where the line of the effect itself is missing.
#[derive(Debug, Default)]
pub(super) struct Effect<'a> {
    pub(super) key: Option<(usize, &'a str)>,
    pub(super) events: Vec<usize>,
    pub(super) applied: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Call<'a> {
    /// Its end, where that carries the key's answer.
    pub(super) fn answer(&self) -> Option<(usize, &'a Answer)> {
        let ended = self.ended.as_ref()?;
        let answer = ended.answer.filter(|it| it.verdict.is_answer())?;
        Some((ended.line, answer))
    }
}

/// Sorts `events`. Lines are counted from 1.
pub(super) fn gather(events: &[Event]) -> History<'_> {
    let mut history = History::default();
    let mut calls: HashMap<u64, (&str, usize)> = HashMap::new();
    for (line, event) in (1..).zip(events) {
        match event {
            Event::Invoke {
                call,
                at_ms,
                key,
                asks,
            } => {
                let register = history.keys.entry(key).or_default();
                let place = (key.as_str(), register.calls.len());
                register.calls.push(Call {
                    asks,
                    line,
                    at_ms: *at_ms,
                    ended: None,
                });
                if calls.insert(*call, place).is_some() {
                    history.complain(key, line, format!("request {call} is sent a second time"));
                }
            }
            Event::Answer {
                call,
                at_ms,
                answer,
            } => history.end(&calls, *call, (line, *at_ms), Some(answer)),
            Event::Lost { call, at_ms } => history.end(&calls, *call, (line, *at_ms), None),
            Event::Effect { key, id, asks } => {
                let register = history.keys.entry(key).or_default();
                register.effects.push((line, asks.as_deref()));
                let effect = history.effects.entry(id).or_default();
                if effect.key.replace((line, key)).is_some() {
                    history.complain(key, line, format!("effect `{id}` is there a second time"));
                }
            }
            Event::Record { key, status, body } => {
                let register = history.keys.entry(key).or_default();
                register.records.push((line, *status, body));
            }
            Event::Published { effect } => {
                history.effects.entry(effect).or_default().events.push(line);
            }
            Event::Applied { consumer, effect } => {
                let effect = history.effects.entry(effect).or_default();
                effect.applied.entry(consumer).or_default().push(line);
            }
        }
    }
    history
}

impl<'a> History<'a> {
    fn end(
        &mut self,
        calls: &HashMap<u64, (&'a str, usize)>,
        call: u64,
        (line, at_ms): (usize, u64),
        answer: Option<&'a Answer>,
    ) {
        let Some((key, n)) = calls.get(&call) else {
            self.complain("", line, format!("request {call} ends and was never sent"));
            return;
        };
        let register = self.keys.entry(key).or_default();
        let ended = Ended {
            line,
            at_ms,
            answer,
        };
        let before = register
            .calls
            .get_mut(*n)
            .and_then(|it| it.ended.replace(ended));
        if before.is_some() {
            self.complain(key, line, format!("request {call} ends a second time"));
        }
    }

    fn complain(&mut self, key: &str, line: usize, seen: String) {
        self.malformed.push(Violation {
            rule: Rule::Malformed,
            key: key.to_owned(),
            lines: vec![line],
            seen,
        });
    }
}
