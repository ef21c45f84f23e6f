//! Fail-over of Postgres: what a synchronous standby keeps, and what an asynchronous one costs.

use oncely_proof::model::Settings;
use oncely_proof::protocol::Design;

use super::{assert_holds, whole};

const fn fails_over(design: Design, is_synchronous: bool) -> Settings {
    Settings {
        n_fail_overs: 1,
        is_synchronous,
        ..Settings::calm(design)
    }
}

#[test]
fn with_a_synchronous_standby_everything_holds() {
    for (design, n_states_min) in [
        (Design::Advisory, 80_000),
        (Design::StubbedLock, 80_000),
        (Design::InsertWait, 70_000),
    ] {
        let settings = Settings {
            n_attempts: 1,
            n_fail_overs: 1,
            ..Settings::usual(design)
        };
        assert_holds(settings, &whole(settings), n_states_min);
    }
    let leased = fails_over(Design::Leased, true);
    assert_holds(leased, &whole(leased), 14_000);
}

/// Acknowledged commits are gone, and their retries run again: nobody can help that. But it ends: no
/// answer of the lost history is repeated for ever.
#[test]
fn an_asynchronous_standby_loses_commits_and_leaves_no_ghost() {
    for design in [Design::Advisory, Design::Leased] {
        let explored = whole(fails_over(design, false));
        assert!(explored.breaks("I2") && explored.breaks("I3"), "{design:?}");
        for kept in ["I1", "I4", "I5", "I6", "I7"] {
            assert!(!explored.breaks(kept), "{design:?}: {:#?}", explored.broken);
        }
    }
}

#[test]
fn without_the_epoch_or_with_one_that_is_read_too_late_a_ghost_stays() {
    for design in [Design::IgnoresTheEpoch, Design::EpochAfterCommit] {
        let explored = whole(fails_over(design, false));
        assert!(explored.breaks("I6"), "{design:?}");
        // With a synchronous standby nothing is lost that could haunt anybody.
        let explored = whole(fails_over(design, true));
        assert_eq!(explored.broken.len(), 0, "{design:?}");
    }
}
