//! Histories that keep the promise, though they look odd.

use oncely::history::{Answer, Event, Expect, Log, Verdict, check, digest, read, write};

use super::script::{OTHER, PAY, Script, strict};

#[test]
fn a_lost_answer_a_409_and_a_replay_are_sound() {
    let it = Script::sound();
    assert_eq!(it.broken(), []);
    let report = check(&it.events, &strict());
    let counts = (report.n_keys, report.n_calls, report.n_answered);
    assert_eq!(counts, (1, 3, 1));
    assert_eq!((report.n_replayed, report.n_in_flight), (1, 1));
    assert_eq!((report.n_unknown, report.n_effects), (1, 1));
}

#[test]
fn a_request_that_nobody_answered_may_have_its_effect_or_not() {
    for verdict in [None, Some(Verdict::Unknown)] {
        let mut it = Script::default();
        it.invoke(1, PAY);
        match verdict {
            None => it.lost(1),
            Some(verdict) => it.answer(1, verdict, 503, "nobody knows"),
        }
        assert_eq!(it.broken(), []);
        it.effect("c-1", PAY);
        it.published("c-1");
        it.applied("journal", "c-1");
        assert_eq!(it.broken(), []);
    }
}

#[test]
fn a_mismatch_while_the_other_one_was_under_way_binds_nobody_once_that_is_rolled_back() {
    let mut it = Script::default();
    it.invoke(1, OTHER);
    it.invoke(2, PAY);
    it.answer(2, Verdict::Mismatch, 422, "reused");
    it.answer(1, Verdict::Refused, 503, "rolled back");
    it.invoke(3, PAY);
    it.answer(3, Verdict::Created, 201, "receipt");
    it.effect("c-1", PAY);
    it.record(201, "receipt");
    it.published("c-1");
    it.applied("journal", "c-1");
    assert_eq!(it.broken(), []);
}

#[test]
fn a_409_is_the_truth_for_as_long_as_somebody_works() {
    let mut it = Script::default();
    it.invoke(1, PAY);
    it.wait(60_000);
    it.invoke(2, PAY);
    it.answer(2, Verdict::InFlight, 409, "busy");
    it.answer(1, Verdict::Unknown, 503, "nobody knows");
    it.wait(4_000);
    it.invoke(3, PAY);
    it.answer(3, Verdict::InFlight, 409, "busy");
    assert_eq!(it.broken(), []);
    let report = check(&it.events, &strict());
    assert!((4_000..4_100).contains(&report.in_flight_longest_ms));
}

#[test]
fn a_decline_that_is_replayed_has_no_effect() {
    let mut it = Script::default();
    it.invoke(1, PAY);
    it.answer(1, Verdict::Created, 402, "declined");
    it.invoke(2, PAY);
    it.answer(2, Verdict::Replayed, 402, "declined");
    it.record(402, "declined");
    assert_eq!(it.broken(), []);
}

#[test]
fn what_the_log_does_not_hold_is_not_missed() {
    let nothing_of_the_tables = |it: &Event| {
        !matches!(
            it,
            Event::Invoke { .. } | Event::Answer { .. } | Event::Lost { .. }
        )
    };
    let it = Script::sound().without(nothing_of_the_tables);
    let answers_alone = Expect {
        effects: false,
        ..Expect::default()
    };
    assert!(check(&it.events, &answers_alone).is_clean());
}

#[test]
fn answers_of_the_service_are_read_as_they_are_meant() {
    for (status, word, code, verdict) in [
        (201, "created", None, Verdict::Created),
        (402, "created", Some("card-declined"), Verdict::Created),
        (201, "replayed", None, Verdict::Replayed),
        (
            409,
            "replayed",
            Some("response-not-replayable"),
            Verdict::Unknown,
        ),
        (409, "in-flight", Some("in-flight"), Verdict::InFlight),
        (
            503,
            "in-flight",
            Some("operation-unfinished"),
            Verdict::Unknown,
        ),
        (422, "mismatch", Some("key-reused"), Verdict::Mismatch),
        (409, "mismatch", Some("key-reused"), Verdict::Mismatch),
        (503, "unknown", Some("outcome-unknown"), Verdict::Unknown),
        (503, "ignored", Some("store-unavailable"), Verdict::Refused),
        (400, "ignored", Some("body-invalid"), Verdict::Refused),
        (500, "ignored", Some("internal"), Verdict::Unknown),
        (502, "", None, Verdict::Unknown),
    ] {
        assert_eq!(Verdict::of(status, word, code), verdict, "{status} {word}");
    }
}

#[test]
fn a_log_keeps_its_order_through_a_file() {
    let log = Log::default();
    let call = log.invoke("k", PAY);
    let other = log.clone().invoke("k", PAY);
    assert_ne!(call, other);
    log.answer(call, Answer::of(201, "created", None, b"receipt"));
    log.lost(other);
    log.push(Event::Record {
        key: "k".to_owned(),
        status: 201,
        body: digest(b"receipt"),
    });
    let mut file = Vec::new();
    write(&mut file, &log.events()).unwrap();
    assert_eq!(read(&file[..]).unwrap(), log.events());
    assert_eq!(String::from_utf8(file.clone()).unwrap().lines().count(), 5);

    file.extend_from_slice(b"\n{\"event\": \"guess\"}\n");
    let wrong = read(&file[..]).unwrap_err();
    assert_eq!(wrong.to_string(), "line 7 of the history is no event");
}
