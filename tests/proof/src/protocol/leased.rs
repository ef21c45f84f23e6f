//! A leased operation at the ledger, as `store::leased` and `ledger::leased` go through it: a call,
//! then the effect.

use oncely::domain::{
    Sending, Unanswered, after_call, before_call, decide_found, decide_lost, may_take_over,
};

use super::cell::bit;
use super::words;
use super::{Cell, Choice, Design, Pc, Reply, Row, RowState, Who};

impl Cell {
    /// Inserts the claim, takes over what was abandoned, or learns what is known.
    pub(super) fn claim_lease(&mut self, who: Who) {
        let body = self.look_at(who).body;
        let claim = words::claim(body);
        let Some(row) = self.books.row else {
            if self.row_is_held() {
                return self.answer(who, words::reply(decide_lost(claim, None)));
            }
            let state = RowState::Leased {
                attempt: 1,
                is_over: false,
                // The first phase is a call: its key is stored with the claim.
                is_key_stored: true,
                is_charged: false,
            };
            self.claims(who, Row { body, state }, true);
            return;
        };
        let record = words::record(row);
        let may = may_take_over(claim, &record) || self.design == Design::BlindTakeOver;
        if let RowState::Leased {
            attempt,
            is_over: true,
            is_key_stored,
            is_charged,
        } = row.state
            && may
            // A record that somebody is just writing to is skipped.
            && !self.row_is_held()
        {
            let state = RowState::Leased {
                attempt: attempt + 1,
                is_over: false,
                is_key_stored,
                is_charged,
            };
            return self.claims(who, Row { state, ..row }, false);
        }
        if let RowState::Done(by) = row.state {
            self.of(who).publishes = Some((by, row.body));
        }
        self.answer(who, words::reply(decide_found(claim, record)));
    }

    fn claims(&mut self, who: Who, row: Row, is_key_ours: bool) {
        let RowState::Leased {
            attempt,
            is_key_stored,
            is_charged,
            ..
        } = row.state
        else {
            unreachable!("a claim is leased");
        };
        self.begin(who);
        let it = self.of(who);
        it.tx.row = Some(row);
        (it.attempt, it.has_key, it.is_key_ours) = (attempt, is_key_stored, is_key_ours);
        it.may_be_done = !is_key_ours;
        it.then = if is_charged { Pc::Finish } else { Pc::Call };
        self.commit(who);
    }

    /// The row, where it is still ours: the guard of every write.
    fn fenced(&self, who: Who) -> Option<Row> {
        let row = self.books.row?;
        let ours = self.look_at(who).attempt;
        let holds = matches!(row.state, RowState::Leased { attempt, .. } if attempt == ours);
        let is_blind = matches!(self.design, Design::NoFence | Design::EffectFirst);
        (holds || is_blind).then_some(row)
    }

    fn is_lost(&mut self, who: Who) {
        self.roll_back(who);
        self.of(who).pc = Pc::LookUpLost;
    }

    /// Writes `change` into the leased row and sends COMMIT, or finds that the lease is lost.
    fn write(&mut self, who: Who, then: Pc, change: impl FnOnce(&mut RowState)) {
        let Some(mut row) = self.fenced(who) else {
            return self.is_lost(who);
        };
        change(&mut row.state);
        self.begin(who);
        let it = self.of(who);
        it.tx.row = Some(row);
        it.then = then;
        self.commit(who);
    }

    /// Before the call, where no key is stored.
    pub(super) fn store_key(&mut self, who: Who, choice: Choice) {
        if choice != Choice::Go {
            return self.gives_up(who);
        }
        let it = self.of(who);
        (it.has_key, it.is_key_ours, it.may_be_done) = (true, true, false);
        self.write(who, Pc::Call, |state| {
            if let RowState::Leased { is_key_stored, .. } = state {
                *is_key_stored = true;
            }
        });
    }

    /// Sends the call, if it may be sent.
    pub(super) fn call(&mut self, who: Who) {
        if self.design == Design::EffectFirst {
            self.books.effects |= bit(who);
            self.books.events |= bit(who);
            self.of(who).pc = Pc::Finish;
            return;
        }
        let it = self.look_at(who);
        match before_call(it.has_key, it.is_key_ours, self.design.accepts_keys()) {
            Sending::StoreKey => self.of(who).pc = Pc::StoreKey,
            Sending::Never => self.of(who).pc = Pc::MarkUnknown,
            Sending::Send => {
                self.outside.under_way |= bit(who);
                self.of(who).pc = Pc::AwaitCall;
            }
        }
    }

    /// No answer came in time, or none could.
    pub(super) fn is_unanswered(&mut self, who: Who, unanswered: Unanswered) {
        let before = self.look_at(who).may_be_done;
        match after_call(unanswered, before, self.design.accepts_keys()) {
            None => self.of(who).pc = Pc::MarkUnknown,
            Some(may_be_done) => {
                self.of(who).may_be_done = may_be_done;
                self.gives_up(who);
            }
        }
    }

    /// Stores what the call came to: without it, the next attempt would have to ask again.
    pub(super) fn advance(&mut self, who: Who, choice: Choice) {
        self.of(who).may_be_done = true;
        if choice != Choice::Go {
            return self.gives_up(who);
        }
        self.write(who, Pc::Finish, |state| {
            if let RowState::Leased { is_charged, .. } = state {
                *is_charged = true;
            }
        });
    }

    /// The effect and the answer, in one transaction.
    pub(super) fn finish(&mut self, who: Who, choice: Choice) {
        self.of(who).may_be_done = true;
        if choice != Choice::Go {
            return self.gives_up(who);
        }
        let has_effect = self.design != Design::EffectFirst;
        self.write(who, Pc::End, |state| *state = RowState::Done(who));
        let it = self.of(who);
        it.tx.has_effect = has_effect && it.tx.row.is_some();
    }

    pub(super) fn gives_up(&mut self, who: Who) {
        self.roll_back(who);
        self.of(who).pc = Pc::GiveUp;
    }

    /// Ends the lease, so that the next attempt begins at once.
    pub(super) fn give_up(&mut self, who: Who, choice: Choice) {
        let nothing_sent = !self.look_at(who).may_be_done || self.design == Design::ForgetsTheCall;
        if choice == Choice::Go
            && let Some(mut row) = self.fenced(who)
            && let RowState::Leased {
                is_over,
                is_key_stored,
                ..
            } = &mut row.state
        {
            *is_over = true;
            *is_key_stored &= !nothing_sent;
            self.write_at_once(row);
        }
        if self.look_at(who).then == Pc::End {
            self.of(who).pc = Pc::LookUpUnanswered;
        } else {
            self.answer(who, Reply::OutcomeUnknown);
        }
    }

    /// Nobody but an operator goes on.
    pub(super) fn mark_unknown(&mut self, who: Who, choice: Choice) {
        if choice != Choice::Go {
            return self.answer(who, Reply::OutcomeUnknown);
        }
        let Some(row) = self.fenced(who) else {
            return self.is_lost(who);
        };
        let attempt = self.look_at(who).attempt;
        let state = RowState::Unknown { attempt };
        self.write_at_once(Row { state, ..row });
        self.answer(who, Reply::OperationUnknown);
    }
}
