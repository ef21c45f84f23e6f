//! Postgres, for one key: who waits for whom, what a statement sees, and what a COMMIT does.

use oncely::domain::Record;

use super::cell::{Stage, bit};
use super::words;
use super::{Cell, Choice, Pc, Reply, Row, RowState, Tx, Who};

impl Tx {
    /// Whether the server still has it.
    pub(super) fn is_alive(self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Committing)
    }
}

impl Cell {
    /// Begins a transaction.
    pub(super) fn begin(&mut self, who: Who) {
        self.of(who).tx = Tx {
            stage: Stage::Open,
            ..Tx::default()
        };
    }

    /// Rolls back.
    pub(super) fn roll_back(&mut self, who: Who) {
        self.of(who).tx = Tx::default();
    }

    /// Whether another transaction has the advisory lock.
    pub(super) fn is_locked(&self, who: Who) -> bool {
        let holds = |(_, it): &(Who, Tx)| it.is_alive() && it.has_lock;
        self.others(who).any(|it| holds(&it))
    }

    /// Whether a write of `who` has to wait for another transaction's.
    pub(super) fn must_wait(&self, who: Who) -> bool {
        let waits = self.design.has_primary_key();
        waits
            && self
                .others(who)
                .any(|(_, it)| it.is_alive() && it.row.is_some())
    }

    /// Whether any transaction has written the row.
    pub(super) fn row_is_held(&self) -> bool {
        let holds = |it: Tx| it.is_alive() && it.row.is_some();
        self.handlers.iter().any(|it| holds(it.tx))
    }

    fn others(&self, who: Who) -> impl Iterator<Item = (Who, Tx)> {
        let all = (0..).zip(&self.handlers).map(|(at, it)| (at, it.tx));
        all.filter(move |(at, _)| *at != who)
    }

    /// What a statement's own snapshot shows.
    pub(super) fn found(&self) -> Option<Record> {
        let row = self.books.row?;
        (row.state != RowState::InProgress).then(|| words::record(row))
    }

    /// A statement that fails, or a transaction that the server has ended: nothing was done.
    pub(super) fn fails(&mut self, who: Who, choice: Choice) -> bool {
        let is_gone = self.look_at(who).tx.stage == Stage::Gone;
        if !is_gone && choice == Choice::Go {
            return false;
        }
        self.roll_back(who);
        self.of(who).publishes = None;
        self.answer(who, Reply::Unavailable);
        true
    }

    /// Sends COMMIT.
    pub(super) fn commit(&mut self, who: Who) {
        if self.fails(who, Choice::Go) {
            return;
        }
        let it = self.of(who);
        it.tx.stage = Stage::Committing;
        it.pc = Pc::AwaitCommit;
    }

    /// The server carries out the COMMIT.
    pub(super) fn apply(&mut self, who: Who) {
        let tx = std::mem::take(&mut self.of(who).tx);
        if let Some(row) = tx.row {
            let is_first = self.books.row.is_none();
            // Without a primary key there are two rows, and a lookup shows the first.
            if is_first || self.design.has_primary_key() {
                self.books.row = Some(row);
            }
        }
        if tx.has_effect {
            self.books.effects |= bit(who);
            self.books.events |= bit(who);
        }
        if self.is_synchronous {
            self.standby = self.books;
        }
    }

    /// A statement that is its own transaction.
    pub(super) fn write_at_once(&mut self, row: Row) {
        self.books.row = Some(row);
        if self.is_synchronous {
            self.standby = self.books;
        }
    }
}
