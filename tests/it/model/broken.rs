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
    assert_eq!(
        explored.verdict(),
        expected,
        "{}: {n} states",
        settings.label()
    );
}

#[test]
fn redis_alone() {
    breaks(faulty(Design::RedisOnly), "I1@7 I3@9 I6@4");
}

#[test]
fn lookup_then_insert_without_a_primary_key() {
    breaks(Settings::calm(Design::NoPrimaryKey), "I1@16 I3@18 I6@18");
}

#[test]
fn lookup_before_the_lock_without_a_primary_key() {
    breaks(
        Settings::calm(Design::LookUpBeforeLock),
        "I1@16 I3@18 I6@18",
    );
}

#[test]
fn a_latch_that_spares_the_lookup_without_a_primary_key() {
    breaks(Settings::calm(Design::TrustsTheLatch), "I1@15 I3@17 I6@17");
}

#[test]
fn an_answer_in_redis_before_the_commit() {
    breaks(faulty(Design::PublishesBeforeCommit), "I2@10 I6@9");
}

#[test]
fn an_unanswered_commit_kept_as_a_failure() {
    breaks(faulty(Design::KeepsFailures), "I6@11 I7@10");
    breaks(Settings::calm(Design::KeepsFailures), "holds");
}

#[test]
fn absence_taken_for_proof() {
    breaks(faulty(Design::TakesAbsenceForProof), "I7@10");
    breaks(Settings::calm(Design::TakesAbsenceForProof), "holds");
}

#[test]
fn leased_without_a_fence() {
    breaks(Settings::calm(Design::NoFence), "I1@17 I3@19 I6@19");
}

#[test]
fn leased_with_the_effect_in_a_transaction_of_its_own() {
    breaks(Settings::calm(Design::EffectFirst), "I1@11 I3@17 I6@17");
}

#[test]
fn leased_and_sent_again_though_the_processor_cannot_tell() {
    breaks(Settings::calm(Design::BlindResend), "I1@13 I6@20");
}

#[test]
fn leased_and_the_call_forgotten() {
    breaks(faulty(Design::ForgetsTheCall), "I1@19 I6@11");
    breaks(Settings::calm(Design::ForgetsTheCall), "holds");
}

#[test]
fn leased_and_taken_over_whatever_is_asked_for() {
    let settings = Settings {
        is_mismatched: true,
        ..Settings::calm(Design::BlindTakeOver)
    };
    breaks(settings, "I4@18");
}

/// Not a broken design, but a broken rule: a record must outlive its callers' retries.
#[test]
fn a_record_that_is_pruned_while_somebody_still_sends() {
    for (design, expected) in [
        (Design::Advisory, "I1@17 I3@19 I6@19"),
        (Design::Leased, "I1@21 I3@23 I6@23"),
    ] {
        let settings = Settings {
            is_pruned: true,
            ..Settings::calm(design)
        };
        breaks(settings, expected);
    }
}
