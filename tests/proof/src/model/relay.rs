//! The model of an event's way: outbox, relays, broker, consumers, inbox, in every order.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::inbox::plan::{Look, key, plan};
use stateright::{Model, Property};
use uuid::Uuid;

/// How many events there are.
const N: usize = 2;

/// How an event gets to its consumer. The first holds; each other one is broken in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trail {
    /// Ours.
    Sound,
    /// The relay settles, and publishes then.
    SettlesFirst,
    /// The relay goes by a cursor on positions, which may commit out of their order.
    Cursor,
    /// The consumer has no inbox.
    NoInbox,
    /// The consumer acknowledges before its commit.
    AcknowledgesFirst,
    /// The inbox's row is in another transaction than the effect.
    InboxApart,
    /// The inbox forgets, and keeps no horizon.
    ForgetsWithoutHorizon,
    /// The inbox forgets as soon as it has raised its horizon.
    ForgetsAtOnce,
    /// A broker that loses what it acknowledged is believed.
    TrustsTheBroker,
    /// What comes before its predecessor is applied.
    IgnoresOrder,
}

/// The model.
#[derive(Debug)]
pub struct Relays {
    trail: Trail,
    /// Whether the second event follows from the first; otherwise they are of two aggregates.
    is_chain: bool,
    n_relays: usize,
    n_crashes: u8,
    n_losses: u8,
    was_broken: [AtomicBool; 4],
}

/// A state of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Way {
    committed: [bool; N],
    pending: [bool; N],
    cursor: u8,
    fence: u8,
    relays: [Relay; 2],
    /// In the stream, not given out.
    stream: [u8; N],
    /// Given out, not acknowledged.
    given: [u8; N],
    consumers: [Desk; 2],
    inbox: [bool; N],
    waiting: [bool; N],
    /// Below the horizon.
    is_below: [bool; N],
    dead: [bool; N],
    n_applied: [u8; N],
    is_disordered: bool,
    crashes: u8,
    losses: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Relay {
    /// The fence of its lease; 0 where it has none.
    fence: u8,
    /// What it has claimed, and whether the first half of the work is done.
    batch: Option<([bool; N], bool)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Desk {
    #[default]
    Idle,
    /// Has these messages.
    Has([bool; N]),
    /// Has looked: which are next, and which are early.
    Planned([bool; N], [bool; N], [bool; N]),
    /// Has written the inbox in a transaction of its own.
    Noted([bool; N], [bool; N]),
    /// Has acknowledged before it has done anything.
    Acknowledged([bool; N]),
    /// Has committed.
    Done([bool; N]),
}

/// One thing that happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// An operation commits, with its event.
    Commit(usize),
    /// A relay takes the lease, whoever had it.
    Lease(usize),
    /// A relay claims what is pending.
    Claim(usize),
    /// A relay does the next half of its work.
    Relay(usize),
    /// A relay dies.
    RelayDies(usize),
    /// A consumer receives these.
    Receive(usize, [bool; N]),
    /// A consumer takes its next step.
    Consume(usize),
    /// A consumer dies, or its delivery counts as lost.
    ConsumerDies(usize),
    /// What waits for its predecessor is applied.
    Resume(usize),
    /// The broker loses a message.
    Lose(usize),
    /// The reconciler compares log and inbox.
    Reconcile(usize),
    /// The inbox raises its horizon above an event.
    Raise(usize),
    /// The inbox forgets.
    Forget(usize),
}

static MESSAGES: LazyLock<[[Message; N]; 2]> = LazyLock::new(|| {
    let message = |at: u8, is_chain: bool| {
        let tenant = Tenant::new("demo").expect("invariant: a tenant");
        let id = if is_chain { 0 } else { at }.to_string();
        Message {
            id: Uuid::from_u128(u128::from(at) + 1),
            topic: Topic::new("t").expect("invariant: a topic"),
            aggregate: Aggregate::new(tenant, "k", id).expect("invariant: an aggregate"),
            seq: if is_chain { i64::from(at) + 1 } else { 1 },
            previous: (is_chain && at == 1).then(|| Uuid::from_u128(1)),
            headers: [].into(),
            payload: [].as_slice().into(),
            created_at: time::OffsetDateTime::UNIX_EPOCH,
        }
    };
    [false, true].map(|is_chain| [message(0, is_chain), message(1, is_chain)])
});

impl Relays {
    /// The model of `trail`: with this many relays and faults, and events that follow or do not.
    pub fn new(trail: Trail, is_chain: bool, n_relays: usize, n_crashes: u8) -> Self {
        let may_lose = matches!(trail, Trail::Sound | Trail::TrustsTheBroker);
        Self {
            trail,
            is_chain,
            n_relays,
            n_crashes,
            n_losses: u8::from(may_lose),
            was_broken: Default::default(),
        }
    }

    /// With it, what a relay or a broker loses is found again; broken relays are shown without.
    fn reconciles(&self) -> bool {
        self.trail == Trail::Sound
    }

    fn can_claim(&self, way: &Way) -> [bool; N] {
        std::array::from_fn(|at| match self.trail {
            Trail::Cursor => way.committed[at] && usize::from(way.cursor) <= at,
            _ => way.pending[at],
        })
    }

    fn is_quiet(&self, way: &Way) -> bool {
        way.committed == [true; N]
            && way.relays.iter().all(|it| it.batch.is_none())
            && way.consumers.iter().all(|it| *it == Desk::Idle)
            && way.stream == [0; N]
            && way.given == [0; N]
            && self.can_claim(way) == [false; N]
            && !(0..N).any(|at| way.can_resume(at))
            && !(0..N).any(|at| self.can_reconcile(way, at))
    }

    fn can_reconcile(&self, way: &Way, at: usize) -> bool {
        self.reconciles() && way.committed[at] && !way.is_known(at) && !way.pending[at]
    }

    fn relays(&self, way: &mut Way, which: usize) {
        let Some((batch, is_half)) = way.relays[which].batch else {
            return;
        };
        let ours = way.relays[which].fence == way.fence;
        let settles = (self.trail == Trail::SettlesFirst) != is_half;
        for at in (0..N).filter(|at| batch[*at]) {
            match (settles, self.trail) {
                // A second copy is enough to be more than one.
                (false, _) => way.stream[at] = (way.stream[at] + 1).min(2),
                (true, Trail::Cursor) => {
                    way.cursor = way.cursor.max(u8::try_from(at + 1).unwrap_or(u8::MAX));
                }
                // Who was taken over deletes nothing.
                (true, _) => way.pending[at] &= !ours,
            }
        }
        way.relays[which].batch = (!is_half).then_some((batch, true));
    }

    /// Looks, and plans by `inbox::plan`.
    fn plans(&self, way: &Way, batch: [bool; N]) -> Desk {
        let all = &MESSAGES[usize::from(self.is_chain)];
        let places: Vec<usize> = (0..N).filter(|at| batch[*at]).collect();
        let messages: Vec<Message> = places.iter().map(|at| all[*at].clone()).collect();
        let looks = places.iter().map(|at| {
            let look = Look {
                is_below: way.is_below[*at] && self.trail != Trail::ForgetsWithoutHorizon,
                is_known: way.is_known(*at) && self.trail != Trail::NoInbox,
                is_next: self.trail == Trail::IgnoresOrder || self.is_next(way, *at),
            };
            (key(&all[*at]), look)
        });
        let planned = plan(&messages, &looks.collect::<HashMap<_, _>>());
        let mask = |of: &[usize]| std::array::from_fn(|at| of.iter().any(|it| places[*it] == at));
        // What nobody remembers becomes a dead letter in the same transaction; here at once, which
        // only makes it known earlier.
        Desk::Planned(batch, mask(&planned.next), mask(&planned.early))
    }

    fn is_next(&self, way: &Way, at: usize) -> bool {
        !self.is_chain || at == 0 || way.inbox[0] || way.is_below[0]
    }

    fn forgets(&self) -> bool {
        matches!(
            self.trail,
            Trail::Sound | Trail::ForgetsWithoutHorizon | Trail::ForgetsAtOnce
        )
    }

    /// Whether no transaction lives any more that has looked before the horizon was raised: that is
    /// what five minutes are waited for.
    fn is_announced(&self, way: &Way, at: usize) -> bool {
        let knows_the_old_one =
            |it: &Desk| matches!(it, Desk::Planned(_, next, early) if next[at] || early[at]);
        self.trail != Trail::Sound || !way.consumers.iter().any(knows_the_old_one)
    }

    fn consumes(&self, way: &mut Way, which: usize) {
        way.consumers[which] = match way.consumers[which] {
            Desk::Idle => return,
            Desk::Has(batch) => match self.trail {
                Trail::AcknowledgesFirst => {
                    way.acknowledge(batch);
                    Desk::Acknowledged(batch)
                }
                Trail::InboxApart => {
                    let new = std::array::from_fn(|at| batch[at] && !way.inbox[at]);
                    for at in (0..N).filter(|at| new[*at]) {
                        way.inbox[at] = true;
                    }
                    Desk::Noted(batch, new)
                }
                _ => self.plans(way, batch),
            },
            Desk::Acknowledged(batch) => {
                for at in (0..N).filter(|at| batch[*at]) {
                    if !way.inbox[at] {
                        self.apply(way, at);
                    }
                }
                Desk::Idle
            }
            Desk::Noted(batch, new) => {
                for at in (0..N).filter(|at| new[*at]) {
                    way.n_applied[at] += 1;
                }
                Desk::Done(batch)
            }
            Desk::Planned(batch, next, early) => self.commits(way, batch, next, early),
            Desk::Done(batch) => {
                way.acknowledge(batch);
                Desk::Idle
            }
        }
    }

    /// Inserts, sorts out what others have applied since the look, applies, and commits.
    fn commits(&self, way: &mut Way, batch: [bool; N], next: [bool; N], early: [bool; N]) -> Desk {
        let has_inbox = self.trail != Trail::NoInbox;
        let is_late = |at: usize| has_inbox && next[at] && way.is_known(at);
        let late: [bool; N] = std::array::from_fn(is_late);
        if self.is_chain && late[0] && next[1] && !late[1] {
            // Everything is looked at anew.
            return Desk::Has(batch);
        }
        for at in 0..N {
            if next[at] && !late[at] {
                self.apply(way, at);
            } else if early[at] && !way.is_known(at) {
                way.waiting[at] = true;
            } else if batch[at] && way.is_below[at] && !way.inbox[at] && !next[at] {
                way.dead[at] = true;
            }
        }
        Desk::Done(batch)
    }

    fn apply(&self, way: &mut Way, at: usize) {
        way.is_disordered |= !self.is_next(way, at);
        way.inbox[at] = true;
        way.waiting[at] = false;
        way.n_applied[at] = way.n_applied[at].saturating_add(1).min(2);
    }

    fn holds(&self, at: usize, is_so: bool) -> bool {
        let was_broken = &self.was_broken[at];
        is_so || was_broken.swap(true, Ordering::Relaxed)
    }
}

impl Way {
    fn is_known(&self, at: usize) -> bool {
        self.inbox[at] || self.waiting[at] || self.dead[at]
    }

    fn can_resume(&self, at: usize) -> bool {
        self.waiting[at] && (at == 0 || self.inbox[0] || self.is_below[0])
    }

    fn acknowledge(&mut self, batch: [bool; N]) {
        for at in (0..N).filter(|at| batch[*at]) {
            self.given[at] = self.given[at].saturating_sub(1);
        }
    }
}

impl Model for Relays {
    type State = Way;
    type Action = Move;

    fn init_states(&self) -> Vec<Way> {
        vec![Way {
            committed: [false; N],
            pending: [false; N],
            cursor: 0,
            fence: 0,
            relays: Default::default(),
            stream: [0; N],
            given: [0; N],
            consumers: Default::default(),
            inbox: [false; N],
            waiting: [false; N],
            is_below: [false; N],
            dead: [false; N],
            n_applied: [0; N],
            is_disordered: false,
            crashes: self.n_crashes,
            losses: self.n_losses,
        }]
    }

    fn actions(&self, way: &Way, moves: &mut Vec<Move>) {
        let mut may = |is_so: bool, it| {
            if is_so {
                moves.push(it);
            }
        };
        for at in 0..N {
            // Of one aggregate, the commits are in order; of two, their positions may not be.
            let is_its_turn = !self.is_chain || at == 0 || way.committed[0];
            may(!way.committed[at] && is_its_turn, Move::Commit(at));
            may(way.can_resume(at), Move::Resume(at));
            may(0 < way.losses && 0 < way.stream[at], Move::Lose(at));
            may(self.can_reconcile(way, at), Move::Reconcile(at));
            let is_old = self.forgets() && way.inbox[at] && !way.pending[at];
            may(is_old && !way.is_below[at], Move::Raise(at));
            may(
                is_old && way.is_below[at] && self.is_announced(way, at),
                Move::Forget(at),
            );
        }
        for which in 0..self.n_relays {
            let relay = way.relays[which];
            let is_ours = relay.fence == way.fence && relay.fence != 0;
            may(!is_ours && way.fence < 3, Move::Lease(which));
            let can = relay.fence != 0 && relay.batch.is_none();
            may(can && self.can_claim(way) != [false; N], Move::Claim(which));
            may(relay.batch.is_some(), Move::Relay(which));
            may(
                relay.batch.is_some() && 0 < way.crashes,
                Move::RelayDies(which),
            );
        }
        for which in 0..2 {
            if way.consumers[which] == Desk::Idle {
                for batch in [[true, false], [false, true], [true, true]] {
                    let has = |at: usize| 0 < way.stream[at] || 0 < way.given[at];
                    may(
                        (0..N).all(|at| !batch[at] || has(at)),
                        Move::Receive(which, batch),
                    );
                }
            } else {
                may(true, Move::Consume(which));
                may(0 < way.crashes, Move::ConsumerDies(which));
            }
        }
    }

    fn next_state(&self, before: &Way, it: Move) -> Option<Way> {
        let mut way = before.clone();
        match it {
            Move::Commit(at) => (way.committed[at], way.pending[at]) = (true, true),
            Move::Lease(which) => {
                way.fence += 1;
                way.relays[which].fence = way.fence;
            }
            Move::Claim(which) => {
                way.relays[which].batch = Some((self.can_claim(&way), false));
            }
            Move::Relay(which) => self.relays(&mut way, which),
            Move::RelayDies(which) => {
                way.crashes -= 1;
                way.relays[which] = Relay::default();
            }
            Move::Receive(which, batch) => {
                for at in (0..N).filter(|at| batch[*at]) {
                    // A new one, or one that somebody else has had for too long.
                    if 0 < way.stream[at] {
                        way.stream[at] -= 1;
                        way.given[at] = (way.given[at] + 1).min(2);
                    }
                }
                way.consumers[which] = Desk::Has(batch);
            }
            Move::Consume(which) => self.consumes(&mut way, which),
            Move::ConsumerDies(which) => {
                way.crashes -= 1;
                way.consumers[which] = Desk::Idle;
            }
            Move::Resume(at) => self.apply(&mut way, at),
            Move::Lose(at) => {
                way.losses -= 1;
                way.stream[at] -= 1;
            }
            Move::Reconcile(at) => way.pending[at] = true,
            Move::Raise(at) => way.is_below[at] = true,
            Move::Forget(at) => way.inbox[at] = false,
        }
        (way != *before).then_some(way)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("R1 applied at most once", |model, way| {
                model.holds(0, way.n_applied.iter().all(|it| *it <= 1))
            }),
            Property::<Self>::always("R2 applied in the end", |model, way| {
                let is_there = |at: usize| way.n_applied[at] == 1 || way.dead[at];
                model.holds(1, !model.is_quiet(way) || (0..N).all(is_there))
            }),
            Property::<Self>::always("R3 no effect without a commit", |model, way| {
                let is_so = |at: usize| way.n_applied[at] == 0 || way.committed[at];
                model.holds(2, (0..N).all(is_so))
            }),
            Property::<Self>::always("R4 in order", |model, way| {
                model.holds(3, !way.is_disordered)
            }),
            Property::<Self>::sometimes("S1 quiet", |model, way| model.is_quiet(way)),
            Property::<Self>::sometimes("S2 set aside", |_, way| way.waiting != [false; N]),
            Property::<Self>::sometimes("S3 forgotten", |_, way| {
                (0..N).any(|at| way.n_applied[at] == 1 && !way.inbox[at])
            }),
        ]
    }
}
