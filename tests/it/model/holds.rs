//! The designs that hold, each explored whole: together more than a million states.

use oncely_proof::model::Settings;
use oncely_proof::protocol::Design;

use super::{assert_holds, whole};

/// Redis fails at any step, loses the key, comes back with an old value; a process dies; a COMMIT goes
/// unanswered, another is refused.
const fn rough(design: Design) -> Settings {
    Settings {
        n_attempts: 1,
        n_stale: 1,
        n_refusals: 1,
        is_flaky: true,
        ..Settings::usual(design)
    }
}

/// Without Redis' smaller failures: a leased operation has more steps, and ten times the states.
const fn leased(design: Design) -> Settings {
    Settings {
        n_attempts: 1,
        n_stale: 1,
        ..Settings::usual(design)
    }
}

fn holds(settings: Settings, n_states_min: usize) {
    assert_holds(settings, &whole(settings), n_states_min);
}

#[test]
fn transactional_with_the_lock() {
    holds(rough(Design::Advisory), 100_000);
}

#[test]
fn transactional_where_the_lock_says_yes_to_everybody() {
    holds(rough(Design::StubbedLock), 100_000);
}

#[test]
fn transactional_by_insert_wait() {
    holds(rough(Design::InsertWait), 100_000);
}

#[test]
fn who_loses_at_the_primary_key_may_as_well_come_again() {
    holds(rough(Design::SelectThenInsert), 100_000);
}

#[test]
fn deleting_anothers_latch_costs_speed_and_no_truth() {
    holds(rough(Design::UnconditionalRelease), 100_000);
}

#[test]
fn leased_where_the_processor_tells_repeats() {
    holds(leased(Design::Leased), 350_000);
}

#[test]
fn leased_where_the_processor_does_not() {
    holds(leased(Design::LeasedKeyless), 200_000);
}

#[test]
fn another_request_under_the_key_never_gets_its_answer() {
    for (settings, n_states_min) in [
        (rough(Design::Advisory), 100_000),
        (leased(Design::Leased), 100_000),
    ] {
        let settings = Settings {
            is_mismatched: true,
            ..settings
        };
        holds(settings, n_states_min);
    }
}
