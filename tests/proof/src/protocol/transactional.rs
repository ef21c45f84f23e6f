//! A transactional operation at the ledger, as `store::settle` goes through it.

use oncely::domain::{decide_busy, decide_found, decide_lost, decide_unanswered};

use super::cell::bit;
use super::words;
use super::{Cell, Choice, Design, Hot, Pc, Reply, Row, RowState, Who};

impl Cell {
    /// The lock, or the insert that claims.
    pub(super) fn claim(&mut self, who: Who) {
        self.begin(who);
        let body = self.look_at(who).body;
        if self.design == Design::InsertWait {
            if self.must_wait(who) {
                return self.busy(who);
            }
            if self.books.row.is_none() {
                self.of(who).tx.row = Some(Row {
                    body,
                    state: RowState::InProgress,
                });
                return self.is_new(who);
            }
        }
        if self.design.has_lock() {
            if self.is_locked(who) {
                return self.busy(who);
            }
            self.of(who).tx.has_lock = true;
        }
        match self.design {
            Design::LookUpBeforeLock | Design::TrustsTheLatch => self.of(who).pc = Pc::Work,
            _ => self.of(who).pc = Pc::LookUp,
        }
    }

    fn busy(&mut self, who: Who) {
        self.roll_back(who);
        if self.look_at(who).foreign.is_some() {
            self.of(who).pc = Pc::LookUpBusy;
        } else {
            let decision = decide_lost(words::claim(self.look_at(who).body), None);
            self.answer(who, words::reply(decision));
        }
    }

    /// The key is ours within this transaction.
    fn is_new(&mut self, who: Who) {
        let it = self.of(who);
        it.then = Pc::Work;
        it.pc = if it.foreign.is_some() {
            Pc::DropForeign
        } else {
            Pc::Work
        };
    }

    /// A statement of its own, after the lock: its snapshot is younger.
    pub(super) fn look_up(&mut self, who: Who, choice: Choice) {
        if self.fails(who, choice) {
            return;
        }
        let Some(record) = self.found() else {
            if matches!(
                self.design,
                Design::LookUpBeforeLock | Design::TrustsTheLatch
            ) {
                self.of(who).pc = Pc::Claim;
            } else {
                self.is_new(who);
            }
            return;
        };
        self.roll_back(who);
        self.publishes_what_is_there(who);
        let decision = decide_found(words::claim(self.look_at(who).body), record);
        self.answer(who, words::reply(decision));
    }

    /// What was found is told to Redis as well.
    fn publishes_what_is_there(&mut self, who: Who) {
        if let Some(Row {
            body,
            state: RowState::Done(by),
        }) = self.books.row
        {
            self.of(who).publishes = Some((by, body));
        }
    }

    pub(super) fn look_up_busy(&mut self, who: Who, choice: Choice) {
        if self.fails(who, choice) {
            return;
        }
        let it = self.look_at(who);
        let (claim, is_foreign) = (words::claim(it.body), it.foreign.is_some());
        let decision = decide_busy(claim, is_foreign, self.found());
        self.publishes_what_is_there(who);
        self.answer(who, words::reply(decision));
    }

    /// The operation's own statements.
    pub(super) fn work(&mut self, who: Who, choice: Choice) {
        if self.fails(who, choice) {
            return;
        }
        if self.design == Design::RedisOnly {
            self.books.effects |= bit(who);
            self.books.events |= bit(who);
            return self.is_done(who);
        }
        let it = self.of(who);
        it.tx.has_effect = true;
        it.pc = Pc::Complete;
    }

    /// The insert of the record: the primary key decides.
    pub(super) fn complete(&mut self, who: Who, choice: Choice) {
        if self.fails(who, choice) {
            return;
        }
        let is_claimed = self.look_at(who).tx.row.is_some();
        if !is_claimed && self.design.has_primary_key() && self.books.row.is_some() {
            self.roll_back(who);
            if self.design == Design::SelectThenInsert {
                return self.answer(who, Reply::Unavailable);
            }
            self.of(who).pc = Pc::LookUpLost;
            return;
        }
        let is_early = self.design == Design::PublishesBeforeCommit;
        let it = self.of(who);
        it.tx.row = Some(Row {
            body: it.body,
            state: RowState::Done(who),
        });
        it.publishes = Some((who, it.body));
        (it.then, it.pc) = (Pc::End, if is_early { Pc::Publish } else { Pc::Commit });
    }

    pub(super) fn look_up_lost(&mut self, who: Who, choice: Choice) {
        if choice != Choice::Go {
            return self.answer(who, Reply::OutcomeUnknown);
        }
        self.publishes_what_is_there(who);
        let decision = decide_lost(words::claim(self.look_at(who).body), self.found());
        self.answer(who, words::reply(decision));
    }

    /// COMMIT was not answered; the ledger is asked on another connection.
    pub(super) fn look_up_unanswered(&mut self, who: Who, choice: Choice) {
        self.of(who).publishes = None;
        if self.design == Design::KeepsFailures {
            self.hot = Hot::Failure;
            return self.answer(who, Reply::Unavailable);
        }
        let found = self.found().filter(|_| choice == Choice::Go);
        let claim = words::claim(self.look_at(who).body);
        match decide_unanswered(claim, found) {
            Some(decision) => {
                self.publishes_what_is_there(who);
                self.answer(who, words::reply(decision));
            }
            None if self.design == Design::TakesAbsenceForProof => {
                self.answer(who, Reply::Unavailable);
            }
            None => self.answer(who, Reply::OutcomeUnknown),
        }
    }

    /// The COMMIT of the answer was acknowledged.
    pub(super) fn is_done(&mut self, who: Who) {
        let it = self.of(who);
        it.publishes = Some((who, it.body));
        self.answer(who, Reply::Done(who));
    }
}
