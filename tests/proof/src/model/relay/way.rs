//! What an event's world consists of, and the ways in which it can be broken.

use std::sync::atomic::AtomicBool;

/// How many events there are.
pub(super) const N: usize = 2;

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
    pub(super) trail: Trail,
    /// Whether the second event follows from the first; otherwise they are of two aggregates.
    pub(super) is_chain: bool,
    pub(super) n_workers: usize,
    pub(super) n_crashes: u8,
    pub(super) n_losses: u8,
    pub(super) was_broken: [AtomicBool; 4],
}

/// A state of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Way {
    pub(super) committed: [bool; N],
    pub(super) pending: [bool; N],
    pub(super) cursor: u8,
    pub(super) fence: u8,
    pub(super) relays: [Relay; 2],
    /// In the stream, not given out.
    pub(super) stream: [u8; N],
    /// Given out, not acknowledged.
    pub(super) given: [u8; N],
    pub(super) consumers: [Desk; 2],
    pub(super) inbox: [bool; N],
    pub(super) waiting: [bool; N],
    /// Below the horizon.
    pub(super) is_below: [bool; N],
    pub(super) dead: [bool; N],
    pub(super) n_applied: [u8; N],
    pub(super) is_disordered: bool,
    pub(super) crashes: u8,
    pub(super) losses: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Relay {
    /// The fence of its lease; 0 where it has none.
    pub(super) fence: u8,
    /// What it has claimed, and whether the first half of the work is done.
    pub(super) batch: Option<([bool; N], bool)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Desk {
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

impl Relays {
    /// The model of `trail`: with this many relays and faults, and events that follow or do not.
    pub fn new(trail: Trail, is_chain: bool, n_relays: usize, n_crashes: u8) -> Self {
        let may_lose = matches!(trail, Trail::Sound | Trail::TrustsTheBroker);
        Self {
            trail,
            is_chain,
            n_workers: n_relays,
            n_crashes,
            n_losses: u8::from(may_lose),
            was_broken: Default::default(),
        }
    }
}
