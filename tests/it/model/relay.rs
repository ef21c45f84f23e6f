//! The way of an event, and the ways that lose it or apply it twice.

use oncely_proof::model::{Explored, Relays, Trail, explore};

/// One relay; in a broken way one process may die.
fn explored(trail: Trail, is_chain: bool) -> Explored {
    let n_crashes = u8::from(trail != Trail::Sound);
    explore(Relays::new(trail, is_chain, 1, n_crashes), 1, None)
}

#[test]
fn every_event_takes_effect_and_none_does_twice() {
    let explored = explored(Trail::Sound, false);
    assert!(explored.broken.is_empty(), "{:#?}", explored.broken);
    assert!(
        1_000_000 < explored.n_states,
        "{} states",
        explored.n_states
    );
    assert!(explored.reached.contains(&"S1 quiet"));
    assert!(explored.reached.contains(&"S3 forgotten"));
}

#[test]
fn an_aggregates_events_take_effect_in_their_order() {
    let explored = explore(Relays::new(Trail::Sound, true, 2, 1), 1, Some(300_000));
    assert!(explored.broken.is_empty(), "{:#?}", explored.broken);
    assert!(250_000 < explored.n_states, "{} states", explored.n_states);
    assert!(explored.reached.contains(&"S2 set aside"));
}

#[test]
fn each_broken_way_is_found() {
    for (trail, is_chain, expected) in [
        (Trail::SettlesFirst, false, "R2@6"),
        (Trail::Cursor, false, "R2@10"),
        (Trail::NoInbox, false, "R1@10 R2@14"),
        (Trail::AcknowledgesFirst, false, "R2@9"),
        (Trail::InboxApart, false, "R2@13"),
        (Trail::ForgetsWithoutHorizon, false, "R1@13 R2@16"),
        (Trail::ForgetsAtOnce, false, "R1@13 R2@16"),
        (Trail::TrustsTheBroker, false, "R2@11"),
        (Trail::IgnoresOrder, true, "R4@8"),
    ] {
        let explored = explored(trail, is_chain);
        assert_eq!(
            explored.verdict(),
            expected,
            "{trail:?}: {} states",
            explored.n_states
        );
    }
}
