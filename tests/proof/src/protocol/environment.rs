//! What happens to a request, and to the servers, without its doing.

use oncely::domain::Unanswered;

use super::cell::{Stage, bit};
use super::{Cell, Hot, Pc, Reply, RowState, Tx, Who};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The server carries out a COMMIT, and its owner, if it still waits, hears of it.
    Apply(Who),
    /// The server refuses a COMMIT.
    Refuse(Who),
    /// The connection is cut while COMMIT is under way: what the server does with it comes later.
    Cut(Who),
    /// The server ends the transaction of a process that is gone.
    Reap(Who),
    /// A process dies.
    Crash(Who),
    /// The processor charges, and its caller, if it still waits, hears of it.
    Charge(Who),
    /// The call is lost before it is sent.
    NotSent(Who),
    /// The caller stops waiting. The call may still be done.
    Unanswered(Who),
    /// A call that nobody waits for is lost after all.
    Vanish(Who),
    /// A lease is over.
    LeaseEnds,
    /// Redis loses the key.
    Lose,
    /// Redis' replica catches up.
    Copy,
    /// Redis fails over to its replica.
    Stale,
    /// The standby catches up.
    Replicate,
    /// Postgres fails over to its standby.
    FailOver,
    /// The processes learn the ledger's epoch.
    Watch,
    /// The record's retention is over.
    Prune,
}

impl Cell {
    /// Has `event` happen.
    pub fn happens(&mut self, event: Event) {
        match event {
            Event::Apply(who) => {
                self.apply(who);
                self.acknowledged(who);
            }
            Event::Refuse(who) => self.refused(who),
            Event::Cut(who) => self.cut(who),
            Event::Reap(who) => self.of(who).tx = Tx::default(),
            Event::Crash(who) => self.of(who).pc = Pc::Dead,
            Event::Charge(who) => self.charge(who),
            Event::NotSent(who) => {
                self.outside.under_way &= !bit(who);
                self.is_unanswered(who, Unanswered::NotDone);
            }
            Event::Unanswered(who) => self.is_unanswered(who, Unanswered::MayBeDone),
            Event::Vanish(who) => self.outside.under_way &= !bit(who),
            Event::LeaseEnds => {
                // By the clock: on the standby too.
                for books in [&mut self.books, &mut self.standby] {
                    let row = books.row.as_mut().map(|it| &mut it.state);
                    if let Some(RowState::Leased { is_over, .. }) = row {
                        *is_over = true;
                    }
                }
            }
            Event::Lose => self.hot = Hot::Nothing,
            Event::Copy => self.hot_replica = self.hot,
            Event::Stale => self.hot = self.hot_replica,
            Event::Replicate => self.standby = self.books,
            Event::FailOver => self.fail_over(),
            Event::Watch => self.watched = self.epoch,
            Event::Prune => self.books.row = None,
        }
    }

    /// Whether a lease could end.
    pub fn has_lease(&self) -> bool {
        let row = self.books.row.map(|it| it.state);
        matches!(row, Some(RowState::Leased { is_over: false, .. }))
    }

    fn acknowledged(&mut self, who: Who) {
        if self.look_at(who).pc != Pc::AwaitCommit {
            return;
        }
        match self.look_at(who).then {
            Pc::End => self.is_done(who),
            then => self.of(who).pc = then,
        }
        let it = self.of(who);
        it.is_held = it.reply.is_none();
        if it.foreign.is_some() && it.pc == Pc::Call {
            (it.then, it.pc) = (Pc::Call, Pc::DropForeign);
        }
    }

    fn refused(&mut self, who: Who) {
        let is_waiting = self.look_at(who).pc == Pc::AwaitCommit;
        self.of(who).tx = Tx::default();
        if !is_waiting {
            return;
        }
        let it = self.of(who);
        it.publishes = None;
        if it.is_held {
            (it.then, it.pc) = (Pc::Idle, Pc::GiveUp);
        } else {
            self.answer(who, Reply::Unavailable);
        }
    }

    fn cut(&mut self, who: Who) {
        let is_leased = self.design.is_leased();
        let it = self.of(who);
        it.publishes = None;
        if is_leased && !it.is_held {
            // The claim may have been committed: then its lease ends by itself.
            return self.answer(who, Reply::OutcomeUnknown);
        }
        it.pc = if is_leased {
            Pc::GiveUp
        } else {
            Pc::LookUpUnanswered
        };
    }

    fn charge(&mut self, who: Who) {
        self.outside.under_way &= !bit(who);
        if self.outside.charges == 0 || !self.design.tells_repeats() {
            self.outside.charges |= bit(who);
        }
        if self.look_at(who).pc == Pc::AwaitCall {
            self.of(who).pc = Pc::Advance;
        }
    }

    /// The standby is the primary now; what was open on the old one is gone.
    fn fail_over(&mut self) {
        self.books = self.standby;
        self.epoch += 1;
        for who in 0..self.handlers.len() {
            let it = &mut self.handlers[who];
            let was = it.tx.stage;
            if was == Stage::None {
                continue;
            }
            it.tx = Tx {
                stage: Stage::Gone,
                ..Tx::default()
            };
            let who = Who::try_from(who).expect("invariant: at most 64 requests a key");
            match self.look_at(who).pc {
                Pc::AwaitCommit => {
                    self.of(who).tx = Tx::default();
                    self.cut(who);
                }
                Pc::Dead | Pc::End | Pc::Publish | Pc::Release | Pc::LookUpUnanswered => {
                    self.of(who).tx = Tx::default();
                }
                _ => (),
            }
        }
    }

    /// Whether there is something for `Refuse` to refuse: a broken design may have no transaction.
    pub fn is_committing(&self, who: Who) -> bool {
        self.look_at(who).tx.stage == Stage::Committing
    }

    /// Whether a process that is gone has left an open transaction.
    pub fn is_orphan(&self, who: Who) -> bool {
        let it = self.look_at(who);
        it.pc == Pc::Dead && matches!(it.tx.stage, Stage::Open | Stage::Gone)
    }

    /// Whether a call of `who` is on its way.
    pub fn is_calling(&self, who: Who) -> bool {
        self.outside.under_way & bit(who) != 0
    }

    /// Whether the processor has a part in it.
    pub fn calls_outside(&self) -> bool {
        self.design.calls_outside()
    }
}
