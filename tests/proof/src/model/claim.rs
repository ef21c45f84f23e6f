//! The model of one key: callers, requests and faults, in every order.

use stateright::{Model, Property};

use super::promises::Promises;
use super::settings::Settings;
use crate::protocol::{Cell, Choice, Event, Hot, Pc, Reply, Who};

/// The model.
#[derive(Debug)]
pub struct Claims {
    pub(super) settings: Settings,
    pub(super) promises: Promises,
}

/// A state of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub(super) cell: Cell,
    pub(super) callers: Vec<Caller>,
    left: Left,
}

/// Somebody who uses the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    n_sent: u8,
    waits_for: Option<Who>,
    pub(super) last: Option<Reply>,
    /// Whose answers were received, a bit for each.
    pub(super) answers: u64,
}

/// The faults that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Left {
    crashes: u8,
    losses: u8,
    stale: u8,
    cuts: u8,
    refusals: u8,
    fail_overs: u8,
    prunes: u8,
}

/// One thing that happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A caller sends.
    Send(u8),
    /// A caller stops waiting.
    Abandon(u8),
    /// A caller receives the answer.
    Receive(u8),
    /// A request takes a step.
    Step(Who, Choice),
    /// Something happens to it, or to the servers.
    Happens(Event),
}

impl Claims {
    /// The model of `settings`.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            promises: Promises::default(),
        }
    }

    fn who(&self, caller: u8, n_sent: u8) -> Who {
        caller * self.settings.n_attempts + n_sent
    }

    fn calls(&self, world: &World, actions: &mut Vec<Action>) {
        for (at, caller) in (0..).zip(&world.callers) {
            let is_settled = matches!(caller.last, Some(Reply::Done(_) | Reply::Mismatch));
            match caller.waits_for {
                None if caller.n_sent < self.settings.n_attempts && !is_settled => {
                    actions.push(Action::Send(at));
                }
                None => (),
                Some(who) => {
                    if world.cell.handlers[usize::from(who)].reply.is_some() {
                        actions.push(Action::Receive(at));
                    }
                    if caller.n_sent < self.settings.n_attempts {
                        actions.push(Action::Abandon(at));
                    }
                }
            }
        }
    }

    fn steps(&self, world: &World, actions: &mut Vec<Action>) {
        let mut choices = Vec::with_capacity(5);
        let (cell, left) = (&world.cell, world.left);
        for (who, it) in (0..).zip(&cell.handlers) {
            choices.clear();
            cell.choices(who, self.settings.is_flaky, &mut choices);
            actions.extend(choices.iter().map(|choice| Action::Step(who, *choice)));
            let mut may = |event| actions.push(Action::Happens(event));
            if cell.is_committing(who) {
                may(Event::Apply(who));
                let is_waiting = it.pc == Pc::AwaitCommit;
                if !is_waiting || 0 < left.refusals {
                    may(Event::Refuse(who));
                }
                if is_waiting && 0 < left.cuts {
                    may(Event::Cut(who));
                }
            }
            if cell.is_orphan(who) {
                may(Event::Reap(who));
            }
            if cell.is_calling(who) {
                may(Event::Charge(who));
                match it.pc {
                    Pc::AwaitCall if 0 < left.cuts => may(Event::Unanswered(who)),
                    Pc::AwaitCall => (),
                    _ => may(Event::Vanish(who)),
                }
                if it.pc == Pc::AwaitCall && 0 < left.refusals {
                    may(Event::NotSent(who));
                }
            }
            if 0 < left.crashes && !matches!(it.pc, Pc::Idle | Pc::End | Pc::Dead) {
                may(Event::Crash(who));
            }
        }
    }

    fn servers(world: &World, actions: &mut Vec<Action>) {
        let (cell, left) = (&world.cell, world.left);
        let mut may = |is_so: bool, event| {
            if is_so {
                actions.push(Action::Happens(event));
            }
        };
        may(cell.has_lease(), Event::LeaseEnds);
        may(0 < left.losses && cell.hot != Hot::Nothing, Event::Lose);
        let is_behind = cell.hot != cell.hot_replica;
        may(0 < left.stale && is_behind, Event::Copy);
        may(0 < left.stale && is_behind, Event::Stale);
        let lags = cell.standby != cell.books;
        may(0 < left.fail_overs && lags, Event::Replicate);
        may(0 < left.fail_overs, Event::FailOver);
        may(cell.watched != cell.epoch, Event::Watch);
        may(0 < left.prunes && cell.books.row.is_some(), Event::Prune);
    }
}

impl Left {
    fn spend(&mut self, event: Event, is_waiting: bool) {
        match event {
            Event::Crash(_) => self.crashes -= 1,
            Event::Lose => self.losses -= 1,
            Event::Stale => self.stale -= 1,
            Event::Cut(_) | Event::Unanswered(_) => self.cuts -= 1,
            Event::Refuse(_) if is_waiting => self.refusals -= 1,
            Event::NotSent(_) => self.refusals -= 1,
            Event::FailOver => self.fail_overs -= 1,
            Event::Prune => self.prunes -= 1,
            _ => (),
        }
    }
}

impl Model for Claims {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let settings = &self.settings;
        let mut cell = Cell::new(settings.design, settings.is_synchronous);
        for caller in 0..settings.n_callers {
            for _ in 0..settings.n_attempts {
                cell.add(u8::from(settings.is_mismatched && caller == 1));
            }
        }
        vec![World {
            cell,
            callers: vec![Caller::default(); usize::from(settings.n_callers)],
            left: Left {
                crashes: settings.n_crashes,
                losses: settings.n_losses,
                stale: settings.n_stale,
                cuts: settings.n_cuts,
                refusals: settings.n_refusals,
                fail_overs: settings.n_fail_overs,
                prunes: u8::from(settings.is_pruned),
            },
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.calls(world, actions);
        self.steps(world, actions);
        Self::servers(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Send(at) => {
                let caller = &mut next.callers[usize::from(at)];
                let who = self.who(at, caller.n_sent);
                caller.n_sent += 1;
                caller.waits_for = Some(who);
                next.cell.send(who);
            }
            Action::Abandon(at) => next.callers[usize::from(at)].waits_for = None,
            Action::Receive(at) => {
                let caller = &mut next.callers[usize::from(at)];
                let who = caller.waits_for.take()?;
                caller.last = next.cell.handlers[usize::from(who)].reply;
                if let Some(Reply::Done(by)) = caller.last {
                    caller.answers |= 1 << by;
                }
            }
            Action::Step(who, choice) => next.cell.step(who, choice),
            Action::Happens(event) => {
                let is_waiting = match event {
                    Event::Refuse(who) => {
                        next.cell.handlers[usize::from(who)].pc == Pc::AwaitCommit
                    }
                    _ => false,
                };
                next.left.spend(event, is_waiting);
                next.cell.happens(event);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Promises::properties()
    }
}
