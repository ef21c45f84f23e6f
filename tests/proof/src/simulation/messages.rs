//! Relays, broker, consumers and reconciler, behind all keys.

use std::collections::{HashMap, VecDeque};

use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::inbox::plan::{Look, key, order, plan};
use uuid::Uuid;

use super::faults::Fault;
use super::world::{MS, S, Task, World};

/// How many aggregates the keys belong to: events of one are in order.
const N_AGGREGATES: usize = 16;
/// The most messages of a batch.
const BATCH: usize = 16;
/// For how long a message is left with a consumer.
const REDELIVER: u64 = S;

/// An event's way, for all events.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) events: Vec<Event>,
    last: [Option<usize>; N_AGGREGATES],
    fence: u64,
    relays: [Relay; 2],
    stream: VecDeque<usize>,
    /// Given out: which event, and when.
    given: Vec<(usize, u64)>,
    desks: [Desk; 2],
    waiting: Vec<usize>,
    pub(super) is_disordered: bool,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) key: usize,
    message: Message,
    previous: Option<usize>,
    is_pending: bool,
    is_waiting: bool,
    pub(super) n_applied: u32,
    enqueued_at: u64,
}

#[derive(Debug, Default)]
struct Relay {
    fence: u64,
    batch: Vec<usize>,
    is_published: bool,
}

#[derive(Debug, Default)]
enum Desk {
    #[default]
    Idle,
    Has(Vec<usize>),
    Planned(Vec<usize>, Vec<usize>, Vec<usize>),
    Done(Vec<usize>),
}

impl Post {
    /// The broker loses what it has.
    pub(super) fn lose(&mut self) {
        self.stream.clear();
        self.given.clear();
    }

    fn is_next(&self, event: usize) -> bool {
        let previous = self.events[event].previous;
        previous.is_none_or(|it| 0 < self.events[it].n_applied)
    }

    fn apply(&mut self, event: usize) {
        self.is_disordered |= !self.is_next(event);
        let it = &mut self.events[event];
        it.n_applied += 1;
        it.is_waiting = false;
    }

    /// Whether everything is applied.
    pub(super) fn is_done(&self) -> bool {
        self.events.iter().all(|it| it.n_applied == 1)
    }
}

impl World {
    /// An operation has committed, and its event with it.
    pub(super) fn enqueue(&mut self, key: usize) {
        let at = key % N_AGGREGATES;
        let place = self.post.events.len();
        let previous = self.post.last[at].replace(place);
        let before = previous.map(|it| &self.post.events[it].message);
        let tenant = Tenant::new("demo").expect("invariant: a tenant");
        let message = Message {
            id: Uuid::from_u128(u128::try_from(place).unwrap_or_default() + 1),
            topic: Topic::new("t").expect("invariant: a topic"),
            aggregate: Aggregate::new(tenant, "k", at.to_string())
                .expect("invariant: an aggregate"),
            seq: before.map_or(1, |it| it.seq + 1),
            previous: before.map(|it| it.id),
            headers: [].into(),
            payload: [].as_slice().into(),
            created_at: time::OffsetDateTime::UNIX_EPOCH,
        };
        self.post.events.push(Event {
            key,
            message,
            previous,
            is_pending: true,
            is_waiting: false,
            n_applied: 0,
            enqueued_at: self.now,
        });
    }

    /// A relay takes its next step: claim by state, publish, settle by the fence.
    pub(super) fn relay(&mut self, which: usize) {
        let period = 5 * MS + self.up_to(40 * MS);
        self.after(period, Task::Relay(which));
        if self.strikes(Fault::LeaseMoves, 4) || self.post.fence == 0 {
            self.post.fence += 1;
            self.post.relays[which].fence = self.post.fence;
        }
        let is_busy = !self.post.relays[which].batch.is_empty();
        if is_busy && self.strikes(Fault::RelayDies, 8) {
            self.post.relays[which] = Relay::default();
            self.post.fence += 1;
            self.post.relays[1 - which].fence = self.post.fence;
            return;
        }
        let post = &mut self.post;
        let relay = &mut post.relays[which];
        if relay.batch.is_empty() {
            // A relay that was taken over and does not know yet publishes too.
            if relay.fence != 0 {
                let pending = (0..).zip(&post.events).filter(|(_, it)| it.is_pending);
                relay.batch = pending.map(|(at, _)| at).take(2 * BATCH).collect();
                relay.is_published = false;
            }
        } else if relay.is_published {
            let batch = std::mem::take(&mut relay.batch);
            if relay.fence == post.fence {
                for event in batch {
                    post.events[event].is_pending = false;
                }
            } else {
                relay.fence = 0;
            }
        } else {
            post.stream.extend(&relay.batch);
            relay.is_published = true;
        }
    }

    /// A consumer takes its next step: receive, plan, commit, acknowledge.
    pub(super) fn consumer(&mut self, which: usize) {
        let period = 2 * MS + self.up_to(20 * MS);
        self.after(period, Task::Consumer(which));
        let desk = std::mem::take(&mut self.post.desks[which]);
        if !matches!(desk, Desk::Idle) && self.strikes(Fault::ConsumerDies, 6) {
            return;
        }
        let next = match desk {
            Desk::Idle => self.receives(),
            Desk::Has(batch) => self.post.plans(batch),
            Desk::Planned(batch, next, early) => {
                let is_unanswered = self.strikes(Fault::ConsumerUnanswered, 6);
                let is_done = !is_unanswered || self.random.bool();
                match is_done.then(|| self.post.commits(&next, &early)) {
                    // Nothing is acknowledged, and all of it comes again.
                    _ if is_unanswered => Desk::Idle,
                    Some(true) => Desk::Done(batch),
                    Some(false) | None => Desk::Has(batch),
                }
            }
            Desk::Done(batch) => {
                self.post.given.retain(|(event, _)| !batch.contains(event));
                Desk::Idle
            }
        };
        self.post.desks[which] = next;
        self.post.resumes();
    }

    fn receives(&mut self) -> Desk {
        let (now, post) = (self.now, &mut self.post);
        let mut batch: Vec<usize> = Vec::new();
        for (event, since) in &mut post.given {
            if batch.len() < BATCH && REDELIVER < now - *since {
                *since = now;
                batch.push(*event);
            }
        }
        while batch.len() < BATCH {
            let Some(event) = post.stream.pop_front() else {
                break;
            };
            post.given.push((event, now));
            batch.push(event);
        }
        if batch.is_empty() {
            Desk::Idle
        } else {
            Desk::Has(batch)
        }
    }

    /// What was published and is not in the inbox is pending again.
    pub(super) fn reconcile(&mut self) {
        let now = self.now;
        for it in &mut self.post.events {
            let is_missing = it.n_applied == 0 && !it.is_waiting;
            it.is_pending |= is_missing && 2 * S < now - it.enqueued_at;
        }
        self.after(2 * S, Task::Reconcile);
    }
}

impl Post {
    /// Looks, and plans by `inbox::plan`.
    fn plans(&self, batch: Vec<usize>) -> Desk {
        let mut places = batch.clone();
        places.sort_by_key(|at| order(&self.events[*at].message));
        places.dedup();
        let messages: Vec<Message> = places
            .iter()
            .map(|at| self.events[*at].message.clone())
            .collect();
        let looks = places.iter().map(|at| {
            let it = &self.events[*at];
            let look = Look {
                is_below: false,
                is_known: 0 < it.n_applied || it.is_waiting,
                is_next: self.is_next(*at),
            };
            (key(&it.message), look)
        });
        let planned = plan(&messages, &looks.collect::<HashMap<_, _>>());
        let pick = |of: &[usize]| of.iter().map(|at| places[*at]).collect();
        Desk::Planned(batch, pick(&planned.next), pick(&planned.early))
    }

    /// Applies what is next and sets aside what is early; false where everything has to be looked at
    /// anew, because others have applied some of it since.
    fn commits(&mut self, next: &[usize], early: &[usize]) -> bool {
        let is_known = |it: &Event| 0 < it.n_applied || it.is_waiting;
        let is_late = |at: &usize| is_known(&self.events[*at]);
        let follows = |at: &&usize| {
            let previous = self.events[**at].previous;
            previous.is_some_and(|it| next.contains(&it) && is_late(&it))
        };
        if next.iter().filter(|at| !is_late(at)).any(|at| follows(&at)) {
            return false;
        }
        for at in next {
            if !is_known(&self.events[*at]) {
                self.apply(*at);
            }
        }
        for at in early {
            if !is_known(&self.events[*at]) {
                self.events[*at].is_waiting = true;
                self.waiting.push(*at);
            }
        }
        true
    }

    /// What waits for its predecessor is applied when that is done with.
    fn resumes(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for at in waiting {
            if self.is_next(at) {
                self.apply(at);
            } else {
                self.waiting.push(at);
            }
        }
    }
}
