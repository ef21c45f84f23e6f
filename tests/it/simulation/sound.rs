//! What holds under more than a million requests and as many faults, each run from one seed.

use oncely_proof::simulation::{Faults, Plan, simulate};

/// How many requests each of the four tests below sends.
const N_REQUESTS_MIN: u64 = 260_000;

fn holds_from(first_seed: u64) {
    let (mut n_requests, mut n_effects, mut faults) = (0, 0, Faults::default());
    let mut seed = first_seed;
    while n_requests < N_REQUESTS_MIN {
        let report = simulate(Plan::new(seed));
        assert!(
            report.violations.is_empty(),
            "make simulate ARGS=\"--seed {seed} --requests 1\": {:#?}",
            report.violations
        );
        n_requests += report.n_requests;
        n_effects += report.n_effects;
        faults.add(&report.faults);
        seed += 1;
    }
    assert!(n_requests < faults.total(), "{faults:?}");
    for (name, n) in faults.by_name() {
        assert!(100 < n, "{name}: {n}");
    }
    // Every key has its effect: 256 for each seed, save where only one request was ever let through.
    assert_eq!(n_effects, 256 * (seed - first_seed));
}

#[test]
fn a_quarter_of_a_million_requests() {
    holds_from(1_000_000);
}

#[test]
fn another_quarter() {
    holds_from(2_000_000);
}

#[test]
fn a_third_one() {
    holds_from(3_000_000);
}

#[test]
fn and_the_last_one() {
    holds_from(4_000_000);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let report = simulate(Plan::new(7));
    assert_eq!(report, simulate(Plan::new(7)));
    assert_ne!(report.digest, simulate(Plan::new(8)).digest);
    assert_ne!(report.n_requests, 0);
}

#[test]
fn without_faults_every_caller_is_served_and_nothing_is_counted() {
    let report = simulate(Plan {
        is_faulty: false,
        ..Plan::new(1)
    });
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!(report.faults.total(), 0);
    assert_eq!(report.n_effects, 256);
    assert!(report.n_requests < 2 * 3 * 256, "{}", report.n_requests);
}
