//! Histories that break the promise, each in one way. A checker that takes one of them proves nothing.

use oncely::history::{Event, Rule, Verdict};

use super::script::{OTHER, PAY, Script};

#[test]
fn two_effects_of_one_key_are_refused() {
    let mut it = Script::sound();
    it.effect("c-2", PAY);
    it.published("c-2");
    it.applied("journal", "c-2");
    assert_eq!(it.broken(), [Rule::TwoEffects]);
}

#[test]
fn two_callers_with_different_bytes_are_refused() {
    let mut it = Script::sound().without(|it| matches!(it, Event::Record { .. }));
    it.invoke(9, PAY);
    it.answer(9, Verdict::Replayed, 201, "another receipt");
    it.record(201, "receipt");
    assert_eq!(it.broken(), [Rule::AnswersDiffer, Rule::NotTheStoredAnswer]);
}

#[test]
fn an_answer_that_is_not_the_stored_one_is_refused() {
    let mut it = Script::sound().without(|it| matches!(it, Event::Record { .. }));
    it.record(201, "what the ledger holds");
    assert_eq!(it.broken(), [Rule::NotTheStoredAnswer]);
}

#[test]
fn an_answer_without_a_record_is_refused() {
    let it = Script::sound().without(|it| matches!(it, Event::Record { .. }));
    assert_eq!(it.broken(), [Rule::NotTheStoredAnswer]);
}

#[test]
fn two_records_of_one_key_are_refused() {
    let mut it = Script::sound();
    it.record(201, "receipt");
    assert_eq!(it.broken(), [Rule::TwoRecords]);
}

#[test]
fn an_answer_whose_effect_was_lost_is_refused() {
    let gone = |it: &Event| {
        matches!(
            it,
            Event::Effect { .. } | Event::Published { .. } | Event::Applied { .. }
        )
    };
    let it = Script::sound().without(gone);
    assert_eq!(it.broken(), [Rule::AnswerWithoutEffect]);
}

#[test]
fn an_answer_with_the_effect_of_another_request_is_refused() {
    let mut it = Script::default();
    it.invoke(1, OTHER);
    it.lost(1);
    it.invoke(2, PAY);
    it.answer(2, Verdict::Replayed, 201, "receipt");
    it.effect("c-1", OTHER);
    it.record(201, "receipt");
    it.published("c-1");
    it.applied("journal", "c-1");
    assert_eq!(it.broken(), [Rule::EffectOfAnotherRequest]);
}

#[test]
fn two_executions_of_one_key_are_refused_though_one_effect_is_left() {
    let mut it = Script::sound();
    it.invoke(8, PAY);
    it.invoke(9, PAY);
    it.answer(8, Verdict::Created, 201, "receipt");
    it.answer(9, Verdict::Created, 201, "receipt");
    assert_eq!(it.broken(), [Rule::ExecutedTwice]);
}

#[test]
fn an_execution_after_an_answer_is_refused() {
    let mut it = Script::sound();
    it.invoke(9, PAY);
    it.answer(9, Verdict::Created, 201, "receipt");
    assert_eq!(it.broken(), [Rule::ExecutedTwice]);
}

#[test]
fn an_answer_to_somebody_elses_request_is_refused() {
    let mut it = Script::sound();
    it.invoke(9, OTHER);
    it.answer(9, Verdict::Replayed, 201, "receipt");
    let rules = [Rule::AnsweredTwoRequests, Rule::EffectOfAnotherRequest];
    assert_eq!(it.broken(), rules);
}

#[test]
fn a_mismatch_without_another_request_is_refused() {
    let mut it = Script::default();
    it.invoke(1, PAY);
    it.answer(1, Verdict::Mismatch, 422, "reused");
    assert_eq!(it.broken(), [Rule::MismatchWithItself]);
}

#[test]
fn a_mismatch_before_the_other_request_is_sent_is_refused() {
    let mut it = Script::default();
    it.invoke(1, PAY);
    it.answer(1, Verdict::Mismatch, 422, "reused");
    it.invoke(2, OTHER);
    it.lost(2);
    assert_eq!(it.broken(), [Rule::MismatchWithItself]);
}

#[test]
fn a_mismatch_for_the_one_who_was_answered_is_refused() {
    let mut it = Script::sound();
    it.invoke(8, OTHER);
    it.answer(8, Verdict::Mismatch, 422, "reused");
    it.invoke(9, PAY);
    it.answer(9, Verdict::Mismatch, 422, "reused");
    assert_eq!(it.broken(), [Rule::MismatchWithItself]);
}

#[test]
fn an_effect_of_a_request_that_did_nothing_is_refused() {
    for (verdict, status) in [
        (Verdict::Refused, 503),
        (Verdict::Mismatch, 422),
        (Verdict::InFlight, 409),
    ] {
        let mut it = Script::default();
        it.invoke(1, OTHER);
        it.lost(1);
        it.invoke(2, PAY);
        it.answer(2, verdict, status, "nothing was done");
        it.effect("c-1", PAY);
        it.published("c-1");
        it.applied("journal", "c-1");
        assert_eq!(it.broken(), [Rule::EffectOfNobody], "{verdict:?}");
    }
}

#[test]
fn a_declined_card_that_was_charged_is_refused() {
    let mut it = Script::default();
    it.invoke(1, PAY);
    it.answer(1, Verdict::Created, 402, "declined");
    it.record(402, "declined");
    it.effect("c-1", PAY);
    it.published("c-1");
    it.applied("journal", "c-1");
    assert_eq!(it.broken(), [Rule::RefusedWithEffect]);
}

#[test]
fn a_409_long_after_anybody_worked_is_refused() {
    let mut it = Script::default();
    it.invoke(1, PAY);
    it.lost(1);
    it.invoke(2, PAY);
    it.wait(5_000);
    it.answer(2, Verdict::InFlight, 409, "busy");
    assert_eq!(it.broken(), [Rule::InFlightTooLong]);
}

#[test]
fn an_effect_without_an_event_is_refused() {
    let gone = |it: &Event| matches!(it, Event::Published { .. });
    let it = Script::sound().without(gone);
    assert_eq!(it.broken(), [Rule::EffectWithoutEvent]);
}

#[test]
fn an_effect_with_two_events_is_refused() {
    let mut it = Script::sound();
    it.published("c-1");
    assert_eq!(it.broken(), [Rule::TwoEvents]);
}

#[test]
fn an_event_without_an_effect_is_refused() {
    let mut it = Script::sound();
    it.published("c-9");
    assert_eq!(it.broken(), [Rule::EventOfNothing]);
}

#[test]
fn an_event_that_a_consumer_lost_is_refused() {
    let gone = |it: &Event| matches!(it, Event::Applied { .. });
    let it = Script::sound().without(gone);
    assert_eq!(it.broken(), [Rule::NotApplied]);
}

#[test]
fn an_event_that_a_consumer_applied_twice_is_refused() {
    let mut it = Script::sound();
    it.applied("journal", "c-1");
    assert_eq!(it.broken(), [Rule::AppliedTwice]);
}

#[test]
fn a_log_that_contradicts_itself_is_refused() {
    let mut it = Script::sound();
    it.lost(3);
    assert_eq!(it.broken(), [Rule::Malformed], "an end after the end");
    let mut it = Script::sound();
    it.lost(77);
    assert_eq!(it.broken(), [Rule::Malformed], "an end of nothing");
    let mut it = Script::sound();
    it.invoke(3, PAY);
    assert_eq!(it.broken(), [Rule::Malformed], "a number for two requests");
}
