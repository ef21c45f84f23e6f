//! Explores a model breadth first, and says what was found.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use stateright::{Checker, Model};
use tokio::time::Instant;

/// What an exploration found.
#[derive(Debug, Clone)]
pub struct Explored {
    /// How many different states there are, or were seen.
    pub n_states: usize,
    /// The longest way to one.
    pub depth: usize,
    /// Whether all were seen.
    pub is_complete: bool,
    /// How long it took.
    pub took: Duration,
    /// The promises that were broken, each with the steps of a shortest way there.
    pub broken: BTreeMap<&'static str, Vec<String>>,
    /// What was reached that had to be.
    pub reached: Vec<&'static str>,
}

impl Explored {
    /// The broken promises, such as `I1@7 I3@11`: the number is how many steps it takes.
    pub fn verdict(&self) -> String {
        if self.broken.is_empty() {
            return if self.is_complete {
                "holds"
            } else {
                "no violation so far"
            }
            .to_owned();
        }
        let broken = self.broken.iter();
        let short = |name: &str| name.split(' ').next().unwrap_or_default().to_owned();
        let broken = broken.map(|(name, steps)| format!("{}@{}", short(name), steps.len()));
        broken.collect::<Vec<_>>().join(" ")
    }

    /// Whether the promise that begins with `name` was broken.
    pub fn breaks(&self, name: &str) -> bool {
        self.broken.keys().any(|it| it.starts_with(name))
    }
}

/// Explores `model` with `n_threads`, up to about `n_max` states if it is that large.
pub fn explore<M>(model: M, n_threads: usize, n_max: Option<usize>) -> Explored
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Hash + Send + Sync + Clone + PartialEq,
    M::Action: Debug + Clone + PartialEq + Send + Sync,
{
    let began = Instant::now();
    let mut checker = model.checker().threads(n_threads);
    // What is counted there is what is generated, three to four times as many as there are.
    let n_generated_max = n_max.map(|it| it.saturating_mul(4));
    if let Some(n) = n_generated_max {
        checker = checker.target_state_count(n);
    }
    let checker = checker.spawn_bfs().join();
    let mut broken = BTreeMap::new();
    let mut reached = Vec::new();
    for (name, path) in checker.discoveries() {
        if name.starts_with('S') {
            reached.push(name);
        } else {
            let steps = path.into_actions();
            let steps = steps.iter().map(|it| format!("{it:?}"));
            broken.insert(name, steps.collect());
        }
    }
    reached.sort_unstable();
    Explored {
        n_states: checker.unique_state_count(),
        depth: checker.max_depth(),
        is_complete: n_generated_max.is_none_or(|it| checker.state_count() < it),
        took: began.elapsed(),
        broken,
        reached,
    }
}
