//! The probe: after all faults, one fresh request, alone. It has to end, with the truth.

use super::cell::bit;
use super::{Cell, Choice, Event, Handler, Hot, Pc, Reply, RowState, Who};

/// More steps than any request takes.
const STEPS_MAX: u32 = 64;

impl Cell {
    /// Whether one fresh request, alone, is told the truth from here. Time has passed: latches and
    /// leases are over, the epoch is known, and an operator has looked at what was unknown.
    pub fn ends_truthfully(&self) -> bool {
        let mut later = self.clone();
        later.passes_time();
        let body = later.books.row.map_or(0, |it| it.body);
        let who = later.add(body);
        later.send(who);
        later.runs_alone(who);
        let n_charges = later.outside.charges.count_ones();
        match later.look_at(who).reply {
            Some(Reply::Done(_)) => {
                later.n_effects() == 1 && (!self.calls_outside() || n_charges == 1)
            }
            Some(Reply::Mismatch) => true,
            _ => false,
        }
    }

    fn passes_time(&mut self) {
        if matches!(self.hot, Hot::Latch { .. }) {
            self.hot = Hot::Nothing;
        }
        self.watched = self.epoch;
        self.resolve();
        self.happens(Event::LeaseEnds);
    }

    /// Whether an attempt is alive that may send its call still, or writes to the record right now.
    pub fn may_still_call(&self) -> bool {
        let holds = |it: &Handler| it.is_held && it.reply.is_none() && it.pc != Pc::Dead;
        self.row_is_held() || self.handlers.iter().any(holds)
    }

    /// An operator looks into the processor's books, as `ledger::resolve` does.
    pub fn resolve(&mut self) {
        if let Some(row) = &mut self.books.row
            && let RowState::Unknown { attempt } = row.state
        {
            let happened = self.outside.charges != 0;
            row.state = RowState::Leased {
                attempt: attempt + 1,
                is_over: true,
                is_key_stored: happened,
                is_charged: happened,
            };
            if self.is_synchronous {
                self.standby = self.books;
            }
        }
    }

    fn runs_alone(&mut self, who: Who) {
        let mut choices = Vec::new();
        for _ in 0..STEPS_MAX {
            if self.is_committing(who) {
                self.happens(Event::Apply(who));
            } else if self.outside.under_way & bit(who) != 0 {
                self.happens(Event::Charge(who));
            } else if self.look_at(who).pc == Pc::MarkUnknown {
                // What an attempt that died has left: unknown, and an operator looks again.
                self.step(who, Choice::Go);
                self.passes_time();
                let it = self.of(who);
                (it.reply, it.publishes, it.foreign) = (None, None, None);
                self.send(who);
            } else {
                choices.clear();
                self.choices(who, false, &mut choices);
                let Some(choice) = choices.last() else { break };
                self.step(who, *choice);
            }
        }
    }
}
