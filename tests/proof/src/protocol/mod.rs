//! One key's protocol, step by step: what the store does, on a Redis and a Postgres in memory.
//!
//! A [`Cell`] is all that there is of one key: its value in Redis, its rows in Postgres, the requests
//! that are under way, and a card processor. Every statement, command and call is a step of its own, so
//! that anything may come between two of them: another request, a crash, a lost reply, a fail-over. The
//! order of the steps is that of `src/store`; what is decided in them is decided by the very functions
//! that the store calls: `store::judge`, `domain::decide_*`, `may_take_over`, `before_call`,
//! `after_call`. The guards of SQL statements are written down here a second time.
//!
//! Both the model and the simulation move cells; neither knows a protocol itself.

mod cell;
mod design;
mod environment;
mod latch;
mod leased;
mod postgres;
mod probe;
mod publish;
mod step;
mod transactional;
mod words;

pub use cell::{Books, Cell, Handler, Hot, Outside, Pc, Reply, Row, RowState, Tx, Who};
pub use design::Design;
pub use environment::Event;
pub use step::Choice;
