//! Simulates, seed after seed, until it is told to stop, and prints what came of it.

use std::process::ExitCode;
use std::time::Duration;

use oncely_proof::protocol::Design;
use oncely_proof::simulation::{Faults, Plan, simulate};
use tokio::time::Instant;

/// How often it says how far it is.
const SAYS_EVERY: Duration = Duration::from_secs(10);

/// Runs: 1 where a promise was broken.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let number = |name: &str| {
        let at = arguments.iter().position(|it| *it == name);
        at.and_then(|at| arguments.get(at + 1))?.parse::<u64>().ok()
    };
    let n_max = number("--requests").unwrap_or(u64::MAX);
    let first = number("--seed").unwrap_or(1);
    let began = Instant::now();
    let (mut n_requests, mut n_effects, mut n_hasty) = (0, 0, 0);
    let mut faults = Faults::default();
    let (mut longest, mut said, mut seed) = (Duration::ZERO, began, first);
    let design = arguments.iter().position(|it| *it == "--design");
    let design = design
        .and_then(|at| arguments.get(at + 1))
        .and_then(|it| Design::named(it));
    let mut is_broken = false;
    while n_requests < n_max && !is_broken {
        let report = simulate(Plan {
            design,
            story_of: number("--story").and_then(|it| usize::try_from(it).ok()),
            ..Plan::new(seed)
        });
        n_requests += report.n_requests;
        n_effects += report.n_effects;
        n_hasty += report.n_hasty;
        faults.add(&report.faults);
        longest = longest.max(report.longest_in_flight);
        is_broken = !report.violations.is_empty();
        for line in &report.story {
            println!("{line}");
        }
        for violation in &report.violations {
            println!("seed {seed}: {violation}");
        }
        seed += 1;
        if SAYS_EVERY < said.elapsed() {
            said = Instant::now();
            println!(
                "seed {seed}: {n_requests} requests, {} faults",
                faults.total()
            );
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    for (name, n) in faults.by_name() {
        println!("  {name:<22} {n:>12}");
    }
    println!(
        "seeds {first} to {}: {n_requests} requests, {} faults, {n_effects} effects in {seconds:.1} s; \
         {n_hasty} hasty 422s; longest run of 409s {longest:?}",
        seed - 1,
        faults.total(),
    );
    if is_broken {
        println!(
            "again: make simulate ARGS=\"--seed {} --requests 1\"",
            seed - 1
        );
    }
    ExitCode::from(u8::from(is_broken))
}
