//! Virtual time, what is due, and all that there is.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use oncely::client::{Budget, budget};

use super::callers::Caller;
use super::faults::{Fault, Faults};
use super::messages::Post;
use crate::protocol::{Cell, Event, Pc, Who};

/// A thousandth of a second, in the units of virtual time.
pub(super) const MS: u64 = 1_000;
/// A second.
pub(super) const S: u64 = 1_000 * MS;

/// Something that is due.
#[derive(Debug, Clone, Copy)]
pub(super) enum Task {
    Send { key: usize, caller: usize },
    Step { key: usize, who: Who },
    Happens { key: usize, event: Event },
    LeaseEnds { key: usize, attempt: u8 },
    LatchEnds { key: usize, by: Who },
    Answer { key: usize, who: Who },
    Lost { key: usize, caller: usize, who: Who },
    Trouble,
    Watch,
    Operator { key: usize },
    Relay(usize),
    Consumer(usize),
    Reconcile,
}

#[derive(Debug)]
struct Due {
    at: u64,
    n: u64,
    task: Task,
}

/// One key, and who uses it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) cell: Cell,
    pub(super) callers: Vec<Caller>,
    pub(super) requests: Vec<Request>,
}

/// What is known of a request beside its cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) caller: Option<usize>,
    pub(super) process: u8,
    pub(super) latched_at: u64,
    pub(super) is_queued: bool,
    pub(super) is_answered: bool,
    /// Whether the server's decision on its COMMIT, or the processor's answer, is due.
    pub(super) is_decided: bool,
}

/// All that there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) random: fastrand::Rng,
    pub(super) now: u64,
    pub(super) sites: Vec<Site>,
    pub(super) post: Post,
    pub(super) budget: Budget,
    pub(super) faults: Faults,
    pub(super) is_faulty: bool,
    pub(super) is_operator_hasty: bool,
    pub(super) n_requests: u64,
    pub(super) n_steps: u64,
    pub(super) longest_in_flight: u64,
    /// What happened, in one number.
    pub(super) digest: u64,
    pub(super) story: Vec<String>,
    due: BinaryHeap<Due>,
    n_due: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        // Without the trickle there is no clock in it, and the same seed stays the same run.
        let budget = Budget::new(budget::Policy {
            capacity_milli: 2_000_000,
            success_milli: 2_000,
            trickle: std::time::Duration::ZERO,
        });
        Self {
            random: fastrand::Rng::with_seed(seed),
            now: 0,
            sites: Vec::new(),
            post: Post::default(),
            budget,
            faults: Faults::default(),
            is_faulty: true,
            is_operator_hasty: false,
            n_requests: 0,
            n_steps: 0,
            longest_in_flight: 0,
            digest: seed,
            story: Vec::new(),
            due: BinaryHeap::new(),
            n_due: 0,
        }
    }

    pub(super) fn after(&mut self, delay: u64, task: Task) {
        self.n_due += 1;
        self.due.push(Due {
            at: self.now + delay,
            n: self.n_due,
            task,
        });
    }

    pub(super) fn next(&mut self) -> Option<Task> {
        let due = self.due.pop()?;
        self.now = due.at;
        self.n_steps += 1;
        self.digest = (self.digest.rotate_left(5) ^ due.at).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Some(due.task)
    }

    /// A delay up to `most`.
    pub(super) fn up_to(&mut self, most: u64) -> u64 {
        self.random.u64(1..=most)
    }

    /// A delay of any order of magnitude, from a millisecond up to two to the `most` microseconds.
    pub(super) fn of_any_length(&mut self, most: u64) -> u64 {
        let most = 1 << self.random.u64(10..most);
        self.up_to(most)
    }

    /// Whether a fault that comes in `percent` of all cases comes now.
    pub(super) fn strikes(&mut self, fault: Fault, percent: u8) -> bool {
        let does = self.is_faulty && self.random.u8(0..100) < percent;
        if does {
            self.faults.count(fault, 1);
        }
        does
    }

    /// Trouble that meets everybody: a process dies, Redis loses everything, or fails over, or Postgres
    /// does.
    pub(super) fn trouble(&mut self) {
        if !self.is_faulty {
            return;
        }
        match self.random.u8(0..8) {
            0..=3 => self.crash(),
            4 | 5 => self.redis(Fault::RedisLoses, Event::Lose),
            6 => self.redis(Fault::RedisStale, Event::Stale),
            _ => self.fail_over(),
        }
        if self.random.bool() {
            self.everywhere(Event::Copy);
        }
        let again = 50 * MS + self.up_to(S / 2);
        self.after(again, Task::Trouble);
    }

    fn redis(&mut self, fault: Fault, event: Event) {
        let changes = |it: &&Site| it.cell.hot != crate::protocol::Hot::Nothing;
        let n = self.sites.iter().filter(changes).count();
        self.faults.count(fault, u64::try_from(n).unwrap_or(0));
        self.everywhere(event);
        self.post.lose();
    }

    fn everywhere(&mut self, event: Event) {
        for site in &mut self.sites {
            site.cell.happens(event);
        }
    }

    /// The synchronous standby takes over; the processes learn of the epoch a while later.
    fn fail_over(&mut self) {
        for key in 0..self.sites.len() {
            if self.sites[key].cell.epoch == u8::MAX {
                return;
            }
            self.sites[key].cell.happens(Event::FailOver);
            for who in self.requests(key) {
                self.arrange(key, who);
            }
        }
        self.faults.count(Fault::FailOver, 1);
        let delay = self.up_to(S);
        self.after(delay, Task::Watch);
    }

    pub(super) fn watch(&mut self) {
        self.everywhere(Event::Watch);
    }

    /// One of the processes dies, with all that it is doing.
    fn crash(&mut self) {
        let process = self.random.u8(0..super::requests::N_PROCESSES);
        for key in 0..self.sites.len() {
            for who in self.requests(key) {
                let site = &mut self.sites[key];
                let request = site.requests[usize::from(who)];
                let pc = site.cell.handlers[usize::from(who)].pc;
                if request.process != process || matches!(pc, Pc::Idle | Pc::End | Pc::Dead) {
                    continue;
                }
                site.cell.happens(Event::Crash(who));
                self.faults.count(Fault::Crash, 1);
                if self.sites[key].cell.is_orphan(who) {
                    let delay = self.up_to(3 * S);
                    let event = Event::Reap(who);
                    self.after(delay, Task::Happens { key, event });
                }
                if let Some(caller) = request.caller {
                    let delay = self.up_to(5 * MS);
                    self.after(delay, Task::Lost { key, caller, who });
                }
            }
        }
    }

    pub(super) fn requests(&self, key: usize) -> impl Iterator<Item = Who> + use<> {
        let n = self.sites[key].cell.handlers.len();
        0..Who::try_from(n).expect("invariant: at most 64 requests a key")
    }
}

impl Ord for Due {
    /// The earliest first, and of two the one that was there first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.n).cmp(&(self.at, self.n))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}
