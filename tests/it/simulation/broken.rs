//! Broken designs under the simulation: each must be found, and within a few seeds.

use oncely_proof::protocol::Design;
use oncely_proof::simulation::{Plan, simulate};

/// In how many seeds each has to be found.
const N_SEEDS: u64 = 20;

/// The first violation of `design`, from the first seed on that shows one.
fn violation(design: Design) -> Option<String> {
    let plans = (1..=N_SEEDS).map(|seed| Plan {
        design: Some(design),
        ..Plan::new(seed)
    });
    plans.flat_map(|plan| simulate(plan).violations).next()
}

#[test]
fn each_broken_design_is_found() {
    for (design, sign) in [
        (Design::RedisOnly, ""),
        (Design::NoPrimaryKey, ""),
        (Design::LookUpBeforeLock, ""),
        (Design::TrustsTheLatch, ""),
        (Design::PublishesBeforeCommit, ""),
        (Design::KeepsFailures, "surely failed"),
        (Design::TakesAbsenceForProof, "surely failed"),
        (Design::NoFence, "effects"),
        (Design::EffectFirst, "effect"),
        (Design::BlindResend, "charged"),
        (Design::ForgetsTheCall, "charged"),
        (Design::BlindTakeOver, "another request"),
    ] {
        let found = violation(design);
        let found = found.unwrap_or_else(|| panic!("{design:?} was not found in {N_SEEDS} seeds"));
        assert!(found.contains(sign), "{design:?}: {found}");
    }
}

/// Those that hold alone, so that the test above can't pass by a checker that always complains.
#[test]
fn no_sound_design_is_accused() {
    for design in [
        Design::Advisory,
        Design::StubbedLock,
        Design::InsertWait,
        Design::SelectThenInsert,
        Design::UnconditionalRelease,
        Design::Leased,
        Design::LeasedKeyless,
    ] {
        assert_eq!(violation(design), None, "{design:?}");
    }
}

/// To say that a call did not happen is to say that it never will.
#[test]
fn an_operator_who_does_not_wait_for_a_paused_attempt_is_found() {
    let charged_twice = (1..=200).find(|seed| {
        let report = simulate(Plan {
            design: Some(Design::LeasedKeyless),
            is_operator_hasty: true,
            ..Plan::new(*seed)
        });
        report
            .violations
            .iter()
            .any(|it| it.contains("charged 2 times"))
    });
    assert!(charged_twice.is_some());
}
