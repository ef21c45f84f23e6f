//! One run: faults first, then none, then the check.

use std::time::Duration;

use super::callers::Caller;
use super::faults::Faults;
use super::world::{S, Site, Task, World};
use crate::protocol::{Cell, Design, Pc};

/// How long there are faults.
const FAULTY: u64 = 20 * S;
/// How long everything may take to end after that.
const PATIENCE: u64 = 300 * S;

/// The designs of a run that must hold, and how many of ten keys have each.
const SOUND: [Design; 10] = [
    Design::Advisory,
    Design::Advisory,
    Design::Advisory,
    Design::Advisory,
    Design::StubbedLock,
    Design::StubbedLock,
    Design::InsertWait,
    Design::InsertWait,
    Design::Leased,
    Design::LeasedKeyless,
];

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Everything is drawn from it.
    pub seed: u64,
    /// How many keys there are.
    pub n_keys: usize,
    /// By which protocol; `None` mixes those that hold.
    pub design: Option<Design>,
    /// Whether there are faults at all.
    pub is_faulty: bool,
    /// Whether operators say that a call never will happen while somebody may be about to send it.
    pub is_operator_hasty: bool,
    /// The key whose story is told.
    pub story_of: Option<usize>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many requests were sent.
    pub n_requests: u64,
    /// What went wrong.
    pub faults: Faults,
    /// How many effects there are in the end.
    pub n_effects: u64,
    /// How many callers were refused by a 422 that was too early: the window that ADR 0004 leaves open.
    pub n_hasty: u64,
    /// For how long one caller was told, on end, that somebody works on it.
    pub longest_in_flight: Duration,
    /// What happened, in one number: the same for the same plan.
    pub digest: u64,
    /// The story of one key, where it was asked for: each line what was due, and what came of it.
    pub story: Vec<String>,
    /// What is wrong, in sentences.
    pub violations: Vec<String>,
}

impl Plan {
    /// A run of 256 keys with every fault, by the protocols that hold.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            n_keys: 256,
            design: None,
            is_faulty: true,
            is_operator_hasty: false,
            story_of: None,
        }
    }
}

/// Runs `plan`.
pub fn simulate(plan: Plan) -> Report {
    let mut world = World::new(plan.seed);
    world.is_faulty = plan.is_faulty;
    world.is_operator_hasty = plan.is_operator_hasty;
    world.populate(plan);
    while world.now < FAULTY + PATIENCE {
        let Some(task) = world.next() else { break };
        if FAULTY < world.now {
            world.is_faulty = false;
            let is_over = world.n_steps.is_multiple_of(64) && world.is_over();
            if is_over {
                break;
            }
        }
        world.perform(task);
        if let Some(key) = plan.story_of {
            world.tell(key, task);
        }
    }
    let n_effects = world.sites.iter().map(|it| u64::from(it.cell.n_effects()));
    Report {
        n_requests: world.n_requests,
        faults: world.faults,
        n_effects: n_effects.sum(),
        n_hasty: world.sites.iter().map(Site::n_hasty).sum(),
        longest_in_flight: Duration::from_micros(world.longest_in_flight),
        digest: world.digest,
        violations: world.violations(),
        story: world.story,
    }
}

impl World {
    fn populate(&mut self, plan: Plan) {
        for key in 0..plan.n_keys {
            let drawn = SOUND[self.random.usize(0..SOUND.len())];
            let n_callers = self.random.usize(1..=3);
            let mut callers = Vec::new();
            for _ in 0..n_callers {
                let is_other = self.random.u8(0..10) == 0;
                callers.push(Caller {
                    body: u8::from(is_other),
                    ..Caller::default()
                });
            }
            self.sites.push(Site {
                cell: Cell::new(plan.design.unwrap_or(drawn), true),
                callers,
                requests: Vec::new(),
            });
            // Duplicates come close together, or much later.
            let first = self.up_to(FAULTY / 2);
            for caller in 0..n_callers {
                let delay = first + self.of_any_length(23);
                self.after(delay, Task::Send { key, caller });
            }
        }
        for which in 0..2 {
            self.after(S, Task::Relay(which));
            self.after(S, Task::Consumer(which));
        }
        self.after(S, Task::Reconcile);
        self.after(S / 2, Task::Trouble);
    }

    /// Adds a line to the story of `key`, where something has changed.
    fn tell(&mut self, key: usize, task: Task) {
        let cell = &self.sites[key].cell;
        let who = cell.handlers.iter().enumerate();
        let who = who.filter(|(_, it)| !matches!(it.pc, Pc::Idle | Pc::End | Pc::Dead));
        let who: Vec<String> = who.map(|(who, it)| format!("{who}:{:?}", it.pc)).collect();
        let (hot, books) = (cell.hot, cell.books);
        let outside = cell.outside;
        let now = format!("{} {hot:?} {books:?} {outside:?}", who.join(" "));
        if self.story.last().is_none_or(|it| !it.ends_with(&now)) {
            self.story.push(format!("{} us {task:?}: {now}", self.now));
        }
    }

    fn is_over(&self) -> bool {
        let has_ended =
            |it: &Site| it.callers.iter().all(|it| it.end.is_some()) && it.cell.is_quiet();
        self.sites.iter().all(has_ended) && self.post.is_done()
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Send { key, caller } => self.send(key, caller),
            Task::Step { key, who } => self.step(key, who),
            Task::Happens { key, event } => self.happens(key, event),
            Task::LeaseEnds { key, attempt } => self.lease_ends(key, attempt),
            Task::LatchEnds { key, by } => self.latch_ends(key, by),
            Task::Answer { key, who } => self.answer(key, who),
            Task::Lost { key, caller, who } => self.lost(key, caller, who),
            Task::Trouble => self.trouble(),
            Task::Watch => self.watch(),
            Task::Operator { key } => self.operator(key),
            Task::Relay(which) => self.relay(which),
            Task::Consumer(which) => self.consumer(which),
            Task::Reconcile => self.reconcile(),
        }
    }
}
