//! Rules 1 to 6: a key is a register that is written once.

use super::check::Expect;
use super::event::{Answer, Verdict};
use super::gather::{Call, Register};
use super::violation::{Rule, Violation};

/// An answer that somebody was given.
struct Given<'a> {
    call: &'a Call<'a>,
    line: usize,
    answer: &'a Answer,
}

/// The breaches of one key.
pub(super) fn check(key: &str, register: &Register<'_>, expect: &Expect) -> Vec<Violation> {
    let given = register.calls.iter().filter_map(|call| {
        call.answer()
            .map(|(line, answer)| Given { call, line, answer })
    });
    let mut given: Vec<_> = given.collect();
    given.sort_by_key(|it| it.line);
    let mut found = Vec::new();
    found.extend(answers_differ(&given));
    found.extend(not_as_stored(&given, register));
    found.extend(executed_twice(&given));
    found.extend(two_requests(&given));
    found.extend(mismatches(register, &given));
    if expect.effects {
        found.extend(effects(register, &given));
    }
    if expect.records {
        found.extend(records(register, &given));
    }
    let violation = |(rule, lines, seen): Found| Violation {
        rule,
        key: key.to_owned(),
        lines,
        seen,
    };
    found.into_iter().map(violation).collect()
}

type Found = (Rule, Vec<usize>, String);

fn brief(answer: &Answer) -> String {
    let body: String = answer.body.chars().take(8).collect();
    format!("{} with body {body}", answer.status)
}

/// All are compared with the first: equality is transitive, so one pass is enough.
fn answers_differ(given: &[Given<'_>]) -> Option<Found> {
    let (first, rest) = given.split_first()?;
    let same = |it: &Answer| (it.status, &it.body) == (first.answer.status, &first.answer.body);
    let other = rest.iter().find(|it| !same(it.answer))?;
    let seen = format!(
        "one caller got {}, another {}",
        brief(first.answer),
        brief(other.answer)
    );
    Some((Rule::AnswersDiffer, vec![first.line, other.line], seen))
}

fn not_as_stored(given: &[Given<'_>], register: &Register<'_>) -> Option<Found> {
    let (line, status, body) = *register.records.first()?;
    let other = given
        .iter()
        .find(|it| (it.answer.status, it.answer.body.as_str()) != (status, body))?;
    let seen = format!("a caller got {}, not what is stored", brief(other.answer));
    Some((Rule::NotTheStoredAnswer, vec![other.line, line], seen))
}

/// Nobody executes twice, and nobody who began after an answer was given executes at all.
fn executed_twice(given: &[Given<'_>]) -> Option<Found> {
    let is_created = |it: &&Given<'_>| it.answer.verdict == Verdict::Created;
    let first = given.first()?;
    let mut created = given.iter().filter(is_created);
    let one = created.next()?;
    if let Some(other) = created.next() {
        let seen = "two callers were told that theirs was executed".to_owned();
        return Some((Rule::ExecutedTwice, vec![one.line, other.line], seen));
    }
    (first.line < one.call.line).then(|| {
        let seen = "it was executed after an answer had been given".to_owned();
        (
            Rule::ExecutedTwice,
            vec![first.line, one.call.line, one.line],
            seen,
        )
    })
}

fn two_requests(given: &[Given<'_>]) -> Option<Found> {
    let (first, rest) = given.split_first()?;
    let other = rest.iter().find(|it| it.call.asks != first.call.asks)?;
    let lines = vec![first.call.line, first.line, other.call.line, other.line];
    let seen = format!(
        "`{}` and `{}` were both answered",
        first.call.asks, other.call.asks
    );
    Some((Rule::AnsweredTwoRequests, lines, seen))
}

/// A mismatch needs another request before it, and none of its own with an answer.
fn mismatches(register: &Register<'_>, given: &[Given<'_>]) -> Option<Found> {
    let first = register.calls.first()?;
    // The first request that asks for something else than the first one: whatever a request asks
    // for, one of the two is another.
    let other = register.calls.iter().find(|it| it.asks != first.asks);
    let answered = given.first();
    register.calls.iter().find_map(|call| {
        let ended = call.ended.as_ref()?;
        ended.answer.filter(|it| it.verdict == Verdict::Mismatch)?;
        let rival = if call.asks == first.asks {
            other
        } else {
            Some(first)
        };
        if rival.is_none_or(|it| ended.line < it.line) {
            let seen = "a mismatch, and nobody asked for anything else".to_owned();
            return Some((Rule::MismatchWithItself, vec![call.line, ended.line], seen));
        }
        let answered = answered.filter(|it| it.call.asks == call.asks && it.line < call.line)?;
        let seen = "a mismatch, after the same request was answered".to_owned();
        Some((
            Rule::MismatchWithItself,
            vec![answered.line, call.line, ended.line],
            seen,
        ))
    })
}

fn effects(register: &Register<'_>, given: &[Given<'_>]) -> Vec<Found> {
    let mut found = Vec::new();
    let Some((line, asks)) = register.effects.first().copied() else {
        if let Some(done) = given.iter().find(|it| it.answer.status < 400) {
            let seen = format!("{} and no effect", brief(done.answer));
            let lines = vec![done.call.line, done.line];
            found.push((Rule::AnswerWithoutEffect, lines, seen));
        }
        return found;
    };
    if 1 < register.effects.len() {
        let lines = register.effects.iter().map(|it| it.0).collect();
        let seen = format!("{} effects", register.effects.len());
        found.push((Rule::TwoEffects, lines, seen));
    }
    if let Some(refused) = given.iter().find(|it| 400 <= it.answer.status) {
        let seen = format!("{} and an effect", brief(refused.answer));
        found.push((Rule::RefusedWithEffect, vec![refused.line, line], seen));
    }
    let is_same = |it: &Call<'_>| asks.is_none_or(|asks| asks == it.asks);
    if let Some(other) = given.iter().find(|it| !is_same(it.call)) {
        let seen = format!("`{}` was answered, another is there", other.call.asks);
        let lines = vec![other.call.line, other.line, line];
        found.push((Rule::EffectOfAnotherRequest, lines, seen));
    }
    let may_have = |it: &&Call<'_>| {
        let verdict = it.ended.as_ref().and_then(|it| it.answer);
        is_same(it) && verdict.is_none_or(|it| it.verdict.may_have_done_it())
    };
    if !register.calls.iter().any(|it| may_have(&it)) {
        let mut lines: Vec<_> = register.calls.iter().map(|it| it.line).collect();
        lines.push(line);
        let seen = "an effect, and each request of this kind did nothing".to_owned();
        found.push((Rule::EffectOfNobody, lines, seen));
    }
    found
}

fn records(register: &Register<'_>, given: &[Given<'_>]) -> Vec<Found> {
    let mut found = Vec::new();
    if 1 < register.records.len() {
        let lines = register.records.iter().map(|it| it.0).collect();
        let seen = format!("{} records", register.records.len());
        found.push((Rule::TwoRecords, lines, seen));
    }
    if let (true, Some(done)) = (register.records.is_empty(), given.first()) {
        let seen = format!("{} and no record of it", brief(done.answer));
        found.push((Rule::NotTheStoredAnswer, vec![done.line], seen));
    }
    found
}
