//! Explores every configuration, large ones too, and prints a table.

use std::process::ExitCode;
use std::time::Duration;

use oncely_proof::model::{Claims, Explored, Relays, Settings, Trail, explore};
use oncely_proof::protocol::Design;

/// The designs that must hold.
const SOUND: [Design; 7] = [
    Design::Advisory,
    Design::StubbedLock,
    Design::InsertWait,
    Design::SelectThenInsert,
    Design::UnconditionalRelease,
    Design::Leased,
    Design::LeasedKeyless,
];

/// How many states each configuration may have before it is cut off: the sum is above 10^8.
const N_STATES_MAX: usize = 6_000_000;

struct Total {
    n_states: usize,
    took: Duration,
    n_violated: usize,
}

/// Runs the table: 0 where everything holds.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|it| *it == name);
        let value = at.and_then(|at| arguments.get(at + 1));
        value.and_then(|it| it.parse().ok()).unwrap_or(default)
    };
    let n_max = number("--states", N_STATES_MAX);
    let n_threads = number("--threads", 2);
    println!(
        "{:<72} {:>11} {:>5} {:>8}  verdict",
        "configuration", "states", "depth", "seconds"
    );
    let mut total = Total {
        n_states: 0,
        took: Duration::ZERO,
        n_violated: 0,
    };
    for settings in configurations() {
        let explored = explore(Claims::new(settings), n_threads, Some(n_max));
        total.add(&settings.label(), &explored);
    }
    for (is_chain, n_relays, n_crashes) in
        [(true, 1, 0), (false, 1, 0), (true, 2, 1), (false, 2, 1)]
    {
        let relays = Relays::new(Trail::Sound, is_chain, n_relays, n_crashes);
        let kind = if is_chain {
            "one aggregate"
        } else {
            "two aggregates"
        };
        let label = format!("relay {kind}, {n_relays} relays loss1 crash{n_crashes}");
        total.add(&label, &explore(relays, n_threads, Some(n_max)));
    }
    println!(
        "total: {} states in {:.0} s, {} violated",
        total.n_states,
        total.took.as_secs_f64(),
        total.n_violated
    );
    ExitCode::from(u8::from(0 < total.n_violated))
}

fn configurations() -> Vec<Settings> {
    let mut all = Vec::new();
    for design in SOUND {
        let usual = Settings::usual(design);
        all.push(Settings {
            n_attempts: 1,
            n_stale: 1,
            n_refusals: 1,
            is_flaky: true,
            ..usual
        });
        all.push(Settings {
            n_attempts: 1,
            n_fail_overs: 1,
            n_stale: 1,
            ..usual
        });
        all.push(Settings {
            n_callers: 3,
            n_attempts: 1,
            n_stale: 1,
            ..usual
        });
        all.push(usual);
        all.push(Settings {
            n_callers: 1,
            n_attempts: 3,
            n_stale: 1,
            n_refusals: 1,
            is_flaky: true,
            ..usual
        });
        all.push(Settings {
            is_mismatched: true,
            ..usual
        });
    }
    all
}

impl Total {
    fn add(&mut self, label: &str, explored: &Explored) {
        println!(
            "{label:<72} {:>11} {:>5} {:>8.1}  {}",
            explored.n_states,
            explored.depth,
            explored.took.as_secs_f64(),
            explored.verdict()
        );
        for (promise, steps) in &explored.broken {
            println!("  {promise}: {}", steps.join(", "));
        }
        self.n_states += explored.n_states;
        self.took += explored.took;
        self.n_violated += usize::from(!explored.broken.is_empty());
    }
}
