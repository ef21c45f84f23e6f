//! The two tiers as one: Redis answers quickly what Postgres has decided.
//!
//! # Overview
//!
//! A transactional operation goes through these steps; between each two there is a fail point.
//!
//! ```text
//!   latch     Redis    SET key latch NX GET PX     held? a completed answer replays, a fresh
//!                                                  latch is 409; all else asks the ledger
//!   begin     Postgres BEGIN
//!   acquire   Postgres lock, then look up          busy: 409 · known: replay or 422
//!   work      the operation's own statements, in this transaction
//!   complete  Postgres INSERT the record with its answer
//!   commit    Postgres COMMIT
//!   publish   Redis    SET key completed PXAT      only after COMMIT was acknowledged
//! ```
//!
//! # Authority
//!
//! The ledger's primary key. Redis may lose, keep or repeat anything, and can only make an answer
//! slower, or say 409 for a moment where a replay was due. It is trusted not to forge: whoever can
//! write into it can make up a replay, so give it an ACL user of its own.
//!
//! # Whose clock
//!
//! The database's for everything stored. This machine's judges two things: whether a latch is
//! fresh enough to be believed without asking, where a wrong clock asks more often; and whether a
//! hot answer has expired, which Redis' own clock judges too.
//!
//! # Concurrency
//!
//! The whole of it runs in a task of its own, because a web server drops a handler's future when
//! the client hangs up. Whatever the caller does, the work ends as if it had stayed.
//!
//! A duplicate that is ready to wait sleeps in its caller's future between two attempts, with a place
//! in a bounded room and nothing else: no connection, no lock, no latch. An end in this process is
//! told to it; for one elsewhere it asks again, ever less often.
//!
//! # Failure
//!
//! - Redis gone, slow, full, read-only or lying: as if it were not there (`degraded`).
//! - Postgres gone before COMMIT was sent: nothing happened, and we say so.
//! - COMMIT's answer lost: the record is looked up; where that fails too, the outcome is unknown,
//!   nothing is cached, and the same key tells the truth later.
//! - Killed between any two steps: an open transaction is rolled back by the server, a committed
//!   one has its answer stored. There is no third state, and no lease to wait for.
//!
//! # What this does not promise
//!
//! Nothing about effects outside the transaction: a mail, a card processor. For those there are leased
//! operations, which the essay on top of `leased` explains, and `docs/guarantees.md`.

mod connect;
mod detached;
mod ends;
mod epoch;
mod error;
mod hint;
mod leased;
mod open;
mod patience;
mod prune;
mod settle;
mod transactional;
mod unkeyed;
mod wait;

pub use connect::ConnectError;
pub use error::Error;
pub use hint::{Hint, Knowledge, judge};
pub use leased::{Called, Context, Leased, LeasedOperation, Phase, PhaseError, Written};
pub use open::{Health, Store};
pub use patience::{Patience, WaitingRoom};
pub use transactional::{Finished, Keep, Outcome};
