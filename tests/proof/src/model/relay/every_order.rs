//! What can happen next, and what has to hold.

use stateright::{Model, Property};

use super::way::{Desk, Move, N, Relay, Relays, Way};

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
        for which in 0..self.n_workers {
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
            Property::<Self>::sometimes("S1 quiet", Relays::is_quiet),
            Property::<Self>::sometimes("S2 set aside", |_, way| way.waiting != [false; N]),
            Property::<Self>::sometimes("S3 forgotten", |_, way| {
                (0..N).any(|at| way.n_applied[at] == 1 && !way.inbox[at])
            }),
        ]
    }
}
