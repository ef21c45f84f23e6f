//! Histories of a register that keeps the promise, with every fault that a caller can meet: all sound.
//! And the same with one line bent: none is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use oncely::history::{Event, Rule, Verdict, check};
use proptest::prelude::*;

use super::script::{OTHER, PAY, Script, strict};

/// Where a request is, at the service.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Sent,
    Working,
    Answered(Verdict, u16),
}

/// A service with one key, and its callers.
#[derive(Default)]
struct Service {
    script: Script,
    calls: HashMap<u64, (&'static str, At)>,
    /// Those who still wait.
    open: Vec<u64>,
    n_calls: u64,
    /// Who works on the key.
    worker: Option<u64>,
    done: Option<&'static str>,
}

impl Service {
    fn act(&mut self, choice: u8) {
        let which = usize::from(choice / 8);
        match choice % 8 {
            0 | 1 => self.invoke(if choice < 32 { OTHER } else { PAY }),
            2..=5 => self.step(which),
            6 => self.deliver(which),
            _ => self.lose(which),
        }
    }

    fn invoke(&mut self, asks: &'static str) {
        self.n_calls += 1;
        self.script.invoke(self.n_calls, asks);
        self.calls.insert(self.n_calls, (asks, At::Sent));
        self.open.push(self.n_calls);
    }

    /// The service goes on with some request, also with one that nobody waits for.
    fn step(&mut self, which: usize) {
        let one_of_the_last = u64::try_from(which % 8).unwrap();
        let call = self.n_calls.saturating_sub(one_of_the_last);
        let Some((asks, at)) = self.calls.get(&call).copied() else {
            return;
        };
        let next = match (at, self.done, self.worker) {
            (At::Answered(..), _, _) => return,
            (At::Working, _, _) if which.is_multiple_of(3) => {
                self.worker = None;
                At::Answered(Verdict::Refused, 503)
            }
            (At::Working, _, _) => {
                self.worker = None;
                self.done = Some(asks);
                At::Answered(Verdict::Created, 201)
            }
            (At::Sent, Some(done), _) if done == asks => At::Answered(Verdict::Replayed, 201),
            (At::Sent, Some(_), _) => At::Answered(Verdict::Mismatch, 422),
            (At::Sent, None, Some(worker)) if self.calls[&worker].0 != asks => {
                At::Answered(Verdict::Mismatch, 422)
            }
            (At::Sent, None, Some(_)) => At::Answered(Verdict::InFlight, 409),
            (At::Sent, None, None) => {
                self.worker = Some(call);
                At::Working
            }
        };
        self.calls.insert(call, (asks, next));
    }

    fn deliver(&mut self, which: usize) {
        let Some(place) = which.checked_rem(self.open.len()) else {
            return;
        };
        if let (_, At::Answered(verdict, status)) = self.calls[&self.open[place]] {
            let body = if status == 201 {
                "receipt"
            } else {
                "a problem"
            };
            let call = self.open.remove(place);
            self.script.answer(call, verdict, status, body);
        }
    }

    fn lose(&mut self, which: usize) {
        if let Some(place) = which.checked_rem(self.open.len()) {
            let call = self.open.remove(place);
            self.script.lost(call);
        }
    }

    fn history(mut self) -> Script {
        if let Some(asks) = self.done {
            self.script.effect("c-1", asks);
            self.script.record(201, "receipt");
            self.script.published("c-1");
            self.script.applied("journal", "c-1");
        }
        self.script
    }
}

fn history() -> impl Strategy<Value = Script> {
    prop::collection::vec(any::<u8>(), 0..120).prop_map(|choices| {
        let mut service = Service::default();
        for choice in choices {
            service.act(choice);
        }
        service.history()
    })
}

#[test]
fn every_history_of_a_register_that_is_written_once_is_sound() {
    let n_done = AtomicUsize::new(0);
    proptest!(ProptestConfig::with_cases(2_000), |(script in history())| {
        prop_assert_eq!(script.broken(), []);
        let n_effects = check(&script.events, &strict()).n_effects;
        n_done.fetch_add(n_effects, Ordering::Relaxed);
    });
    let n_done = n_done.into_inner();
    assert!(200 < n_done, "{n_done} of them wrote it");
}

#[test]
fn a_sound_history_with_one_more_effect_or_one_less_is_not() {
    proptest!(ProptestConfig::with_cases(1_000), |(mut script in history())| {
        let report = check(&script.events, &strict());
        prop_assume!(report.n_effects == 1);
        let without = |it: &Event| !matches!(it, Event::Effect { .. });
        let bent: Vec<Event> = script.events.iter().filter(|it| without(it)).cloned().collect();
        prop_assert!(!check(&bent, &strict()).is_clean());
        script.effect("c-2", PAY);
        prop_assert!(script.broken().contains(&Rule::TwoEffects));
    });
}

#[test]
fn a_long_history_is_checked_in_one_pass() {
    let mut script = Script::default();
    script.invoke(1, PAY);
    for call in 2..60_000 {
        script.invoke(call, PAY);
        script.answer(call, Verdict::InFlight, 409, "busy");
    }
    // One key with all requests: what is quadratic would take minutes.
    assert_eq!(script.broken(), []);
}
