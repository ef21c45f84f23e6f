//! All that there is of one key.

use super::Design;

/// Which request, counted from 0; it also names the answer that the request made.
pub type Who = u8;

/// One key's world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cell {
    /// By which protocol.
    pub design: Design,
    /// The requests so far.
    pub handlers: Vec<Handler>,
    /// The value in Redis, and in its replica.
    pub hot: Hot,
    /// What a fail-over of Redis would bring back.
    pub hot_replica: Hot,
    /// What is committed.
    pub books: Books,
    /// What the standby has got of it.
    pub standby: Books,
    /// Whether a commit waits for the standby.
    pub is_synchronous: bool,
    /// The ledger's epoch, raised by each fail-over.
    pub epoch: u8,
    /// The epoch as the processes have last confirmed it.
    pub watched: u8,
    /// The card processor.
    pub outside: Outside,
}

/// A value in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hot {
    /// None.
    Nothing,
    /// Somebody's latch.
    Latch {
        /// Whose.
        by: Who,
        /// For which request.
        body: u8,
    },
    /// An answer.
    Answer {
        /// Whose.
        by: Who,
        /// To which request.
        body: u8,
        /// Of which history of the ledger.
        epoch: u8,
    },
    /// A failure, where a broken design keeps one.
    Failure,
}

/// What Postgres holds of the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Books {
    /// The record.
    pub row: Option<Row>,
    /// Whose effects are there, a bit for each.
    pub effects: u64,
    /// Whose events are in the outbox.
    pub events: u64,
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    /// Of which request.
    pub body: u8,
    /// How far it is.
    pub state: RowState,
}

/// How far a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowState {
    /// Claimed by `insert_wait`, never committed so.
    InProgress,
    /// Leased.
    Leased {
        /// The fencing number.
        attempt: u8,
        /// Whether the lease is over.
        is_over: bool,
        /// Whether the call's key is stored.
        is_key_stored: bool,
        /// Whether the call's answer is stored.
        is_charged: bool,
    },
    /// A call was sent and its end is not known.
    Unknown {
        /// The fencing number.
        attempt: u8,
    },
    /// Done, with this request's answer.
    Done(Who),
}

/// A transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tx {
    /// How far it is.
    pub stage: Stage,
    /// Whether it has the advisory lock.
    pub has_lock: bool,
    /// The row that it has written; others wait for it.
    pub row: Option<Row>,
    /// Whether it has written its effect and its event.
    pub has_effect: bool,
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Stage {
    /// There is none.
    #[default]
    None,
    /// It takes statements.
    Open,
    /// COMMIT was sent: the server decides.
    Committing,
    /// The server has ended it, and its owner does not know yet.
    Gone,
}

/// What a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The answer that this request made.
    Done(Who),
    /// 409: somebody is working on it.
    InFlight,
    /// 422: the key was used for another request.
    Mismatch,
    /// 409: nobody knows, and an operator has to look.
    OperationUnknown,
    /// 503: nothing was done by this attempt.
    Unavailable,
    /// 503: nobody knows, ask again.
    OutcomeUnknown,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pc {
    /// Not sent yet.
    Idle,
    /// Before `SET NX GET`.
    Latch,
    /// Before the lock, or the insert that claims.
    Claim,
    /// Before the lookup.
    LookUp,
    /// Before the lookup of who found somebody at work.
    LookUpBusy,
    /// Before the operation's own statements.
    Work,
    /// Before the insert of the record.
    Complete,
    /// Before COMMIT.
    Commit,
    /// COMMIT was sent.
    AwaitCommit,
    /// COMMIT was not answered: before the lookup on another connection.
    LookUpUnanswered,
    /// Somebody else was first: before the lookup.
    LookUpLost,
    /// Before a latch of another request is taken away.
    DropForeign,
    /// Before the answer is put into Redis.
    Publish,
    /// Before the own latch is taken away.
    Release,
    /// Leased: before the claim or the take-over.
    ClaimLease,
    /// Leased: before the key is stored.
    StoreKey,
    /// Leased: before the call.
    Call,
    /// Leased: the call is under way.
    AwaitCall,
    /// Leased: before the call's answer is stored.
    Advance,
    /// Leased: before the effect and the answer.
    Finish,
    /// Leased: before the lease is given up.
    GiveUp,
    /// Leased: before the record becomes unknown.
    MarkUnknown,
    /// Over.
    End,
    /// The process is gone.
    Dead,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what it knows, one thing each"
)]
pub struct Handler {
    /// What it asks for.
    pub body: u8,
    /// Where it is.
    pub pc: Pc,
    /// Where it goes on when its COMMIT is acknowledged.
    pub then: Pc,
    /// Its transaction.
    pub tx: Tx,
    /// What it was answered, once it was.
    pub reply: Option<Reply>,
    /// Whether its latch is in Redis, or may be.
    pub is_latched: bool,
    /// Whose latch of another request it met.
    pub foreign: Option<Who>,
    /// The epoch as it was confirmed when it began.
    pub epoch: u8,
    /// Whose answer it tells Redis, to which request.
    pub publishes: Option<(Who, u8)>,
    /// Its fencing number.
    pub attempt: u8,
    /// Whether it has a lease, as far as it knows.
    pub is_held: bool,
    /// Whether the call's key is stored, as far as it knows.
    pub has_key: bool,
    /// Whether the call's key was stored by it.
    pub is_key_ours: bool,
    /// Whether the call may have been done.
    pub may_be_done: bool,
}

/// The card processor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Outside {
    /// Whose calls are on their way.
    pub under_way: u64,
    /// Whose calls have charged the card.
    pub charges: u64,
}

impl Cell {
    /// A key that nobody has used.
    pub fn new(design: Design, is_synchronous: bool) -> Self {
        Self {
            design,
            handlers: Vec::new(),
            hot: Hot::Nothing,
            hot_replica: Hot::Nothing,
            books: Books::default(),
            standby: Books::default(),
            is_synchronous,
            epoch: 0,
            watched: 0,
            outside: Outside::default(),
        }
    }

    /// Adds a request for `body` that is not sent yet.
    pub fn add(&mut self, body: u8) -> Who {
        self.handlers.push(Handler {
            body,
            pc: Pc::Idle,
            then: Pc::Idle,
            tx: Tx::default(),
            reply: None,
            is_latched: false,
            foreign: None,
            epoch: 0,
            publishes: None,
            attempt: 0,
            is_held: false,
            has_key: false,
            is_key_ours: false,
            may_be_done: false,
        });
        Who::try_from(self.handlers.len() - 1).expect("invariant: at most 64 requests a key")
    }

    /// Begins a request.
    pub fn send(&mut self, who: Who) {
        let epoch = self.watched;
        let it = self.of(who);
        (it.pc, it.epoch) = (Pc::Latch, epoch);
    }

    /// How many effects there are.
    pub fn n_effects(&self) -> u32 {
        self.books.effects.count_ones()
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        let is_over = |it: &Handler| {
            matches!(it.pc, Pc::Idle | Pc::End | Pc::Dead) && it.tx.stage == Stage::None
        };
        self.outside.under_way == 0 && self.handlers.iter().all(is_over)
    }

    pub(super) fn of(&mut self, who: Who) -> &mut Handler {
        &mut self.handlers[usize::from(who)]
    }

    pub(super) fn look_at(&self, who: Who) -> &Handler {
        &self.handlers[usize::from(who)]
    }
}

/// The bit of a request.
pub(super) const fn bit(who: Who) -> u64 {
    1 << who
}
