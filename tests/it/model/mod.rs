//! The models: what holds in every order of steps, and what each broken design loses.

mod broken;
mod failover;
mod holds;
mod relay;

use oncely_proof::model::{Claims, Explored, Settings, explore};

/// Explores a configuration that is small enough to be seen whole.
fn whole(settings: Settings) -> Explored {
    let explored = explore(Claims::new(settings), 1, None);
    assert!(explored.is_complete, "{}", settings.label());
    explored
}

/// That `explored` holds, and that there was something to hold: `n_states_min` different states, an
/// answer, a 409, and a replay to somebody else.
fn assert_holds(settings: Settings, explored: &Explored, n_states_min: usize) {
    let label = settings.label();
    assert!(
        explored.broken.is_empty(),
        "{label}: {:#?}",
        explored.broken
    );
    let n = explored.n_states;
    assert!(n_states_min <= n, "{label}: only {n} states");
    assert!(explored.reached.contains(&"S1 done"), "{label}");
    assert!(explored.reached.contains(&"S2 in flight"), "{label}");
    let replays = explored.reached.contains(&"S3 replay to another");
    assert_eq!(replays, !settings.is_mismatched, "{label}");
}
