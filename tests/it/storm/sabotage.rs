//! The same storm on broken stacks: each must be noticed, and by the rule that it breaks.

use super::Storm;

fn broken_by(mutant: &str) -> Storm {
    let arguments = ["--operations", "60", "--duration", "10s", "--seed", "5"];
    let patience = ["--patience", "5s", "--sabotage", mutant];
    let storm = Storm::brew(&[&arguments[..], &patience[..]].concat());
    assert_eq!(storm.code, 1, "{}\n{}", storm.out, storm.complaints);
    assert!(storm.out.contains("\nviolation: "), "{}", storm.out);
    assert!(storm.out.contains("\nnext: "), "{}", storm.out);
    assert_eq!(storm.json()["sabotage"], mutant);
    let page = storm.file("report.html");
    assert!(page.contains("the promise broken"));
    storm
}

fn assert_broken(storm: &Storm, rule: &str) {
    let rules = storm.rules();
    assert!(rules.iter().any(|it| it == rule), "{rule}: {rules:?}");
}

#[test]
fn a_ledger_that_forgets_its_keys_is_noticed() {
    let storm = broken_by("forget-key");
    assert_broken(&storm, "NotTheStoredAnswer");
    assert_broken(&storm, "TwoEffects");
}

#[test]
fn a_consumer_without_an_inbox_is_noticed() {
    assert_broken(&broken_by("no-inbox"), "AppliedTwice");
}

#[test]
fn an_event_that_is_not_written_is_noticed() {
    let storm = broken_by("lost-event");
    assert_broken(&storm, "EffectWithoutEvent");
    assert_broken(&storm, "NotApplied");
}

#[test]
fn a_client_that_mints_a_key_for_each_attempt_is_noticed() {
    assert_broken(&broken_by("fresh-key"), "TwoEffects");
}

#[test]
fn a_charge_that_is_made_twice_is_noticed() {
    assert_broken(&broken_by("double-charge"), "TwoEffects");
}
