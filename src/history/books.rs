//! Rule 8: effects, their events and what consumers made of them are the same in number and name.

use super::check::Expect;
use super::gather::{Effect, History};
use super::violation::{Rule, Violation};

/// The breaches of all effects.
pub(super) fn check(history: &History<'_>, expect: &Expect) -> Vec<Violation> {
    let mut found = Vec::new();
    for (id, effect) in &history.effects {
        found.extend(of_effect(id, effect, expect));
    }
    found
}

fn of_effect(id: &str, effect: &Effect<'_>, expect: &Expect) -> Vec<Violation> {
    let mut found = Vec::new();
    let (own, key) = effect
        .key
        .map_or((None, id), |(line, key)| (Some(line), key));
    let mut complain = |rule, lines: Vec<usize>, seen: String| {
        found.push(Violation {
            rule,
            key: key.to_owned(),
            lines,
            seen,
        });
    };
    let with_own = |lines: &[usize]| own.into_iter().chain(lines.iter().copied()).collect();
    let Some(line) = own else {
        if expect.effects {
            let told = effect
                .events
                .iter()
                .chain(effect.applied.values().flatten());
            let seen = format!("`{id}` was told of, and there is no such effect");
            complain(Rule::EventOfNothing, told.copied().collect(), seen);
        }
        return found;
    };
    if expect.events {
        match effect.events.len() {
            1 => (),
            0 => {
                let seen = format!("effect `{id}` has no event");
                complain(Rule::EffectWithoutEvent, vec![line], seen);
            }
            n => {
                let seen = format!("effect `{id}` has {n} events");
                complain(Rule::TwoEvents, with_own(&effect.events), seen);
            }
        }
    }
    for consumer in &expect.consumers {
        let applied = effect.applied.get(consumer.as_str());
        match applied.map_or(0, Vec::len) {
            1 => (),
            0 => {
                let seen = format!("`{consumer}` has not applied effect `{id}`");
                complain(Rule::NotApplied, with_own(&effect.events), seen);
            }
            n => {
                let seen = format!("`{consumer}` has applied effect `{id}` {n} times");
                let lines = with_own(applied.map_or(&[][..], |it| it));
                complain(Rule::AppliedTwice, lines, seen);
            }
        }
    }
    found
}
