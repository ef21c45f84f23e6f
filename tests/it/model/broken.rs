//! Broken designs: each must be found, by the promise that it breaks and in so many steps.

use oncely_proof::model::{Claims, Settings, explore};
use oncely_proof::protocol::Design;

/// More states than any of these needs.
const N_STATES_MAX: usize = 400_000;

/// Two callers who send once; a crash, a loss of Redis and an unanswered COMMIT, or call.
const fn faulty(design: Design) -> Settings {
    Settings {
        n_attempts: 1,
        ..Settings::usual(design)
    }
}

/// That the design breaks exactly these promises, the shortest way to each in so many steps.
fn breaks(settings: Settings, expected: &str) {
    let explored = explore(Claims::new(settings), 1, Some(N_STATES_MAX));
    let n = explored.n_states;
    assert_eq!(explored.verdict(), expected, "{}: {n} states", settings.label());
}

#[test]
fn redis_alone() {
    breaks(faulty(Design::RedisOnly), "");
}

#[test]
fn lookup_then_insert_without_a_primary_key() {
    breaks(Settings::calm(Design::NoPrimaryKey), "");
}

#[test]
fn lookup_before_the_lock_without_a_primary_key() {
    breaks(Settings::calm(Design::LookUpBeforeLock), "");
}

#[test]
fn a_latch_that_spares_the_lookup_without_a_primary_key() {
    breaks(Settings::calm(Design::TrustsTheLatch), "");
}

#[test]
fn an_answer_in_redis_before_the_commit() {
    breaks(faulty(Design::PublishesBeforeCommit), "");
}

#[test]
fn an_unanswered_commit_kept_as_a_failure() {
    breaks(faulty(Design::KeepsFailures), "");
    breaks(Settings::calm(Design::KeepsFailures), "holds");
}

#[test]
fn absence_taken_for_proof() {
    breaks(faulty(Design::TakesAbsenceForProof), "");
    breaks(Settings::calm(Design::TakesAbsenceForProof), "holds");
}

#[test]
fn leased_without_a_fence() {
    breaks(Settings::calm(Design::NoFence), "");
}

#[test]
fn leased_with_the_effect_in_a_transaction_of_its_own() {
    breaks(Settings::calm(Design::EffectFirst), "");
}

#[test]
fn leased_and_sent_again_though_the_processor_cannot_tell() {
    breaks(Settings::calm(Design::BlindResend), "");
}

#[test]
fn leased_and_the_call_forgotten() {
    breaks(faulty(Design::ForgetsTheCall), "");
    breaks(Settings::calm(Design::ForgetsTheCall), "holds");
}

#[test]
fn leased_and_taken_over_whatever_is_asked_for() {
    let settings = Settings {
        is_mismatched: true,
        ..Settings::calm(Design::BlindTakeOver)
    };
    breaks(settings, "");
}

/// Not a broken design, but a broken rule: a record must outlive its callers' retries.
#[test]
fn a_record_that_is_pruned_while_somebody_still_sends() {
    for (design, expected) in [
        (Design::Advisory, ""),
        (Design::Leased, ""),
    ] {
        let settings = Settings {
            is_pruned: true,
            ..Settings::calm(design)
        };
        breaks(settings, expected);
    }
}
