//! The ledger: Postgres, the authority on what was done.
//!
//! # Overview
//!
//! One row of `oncely.records` for each scoped key whose operation is done, written in the same
//! transaction as the operation's own effects. The row's primary key decides; all else here makes
//! a duplicate cheap to recognise, and a broken connection harmless.
//!
//! # Whose clock
//!
//! The database's. No time that is stored was read on this machine.
//!
//! # Concurrency
//!
//! Transactions are READ COMMITTED, said explicitly, because the lookup must see what was
//! committed after the lock was taken: lock and lookup are two statements. In the dialect
//! `advisory`, a transaction-level advisory lock makes a concurrent duplicate fail at once; in
//! `insert_wait`, the claim is the inserted row itself, and a duplicate waits for it briefly.
//! Either way the primary key holds when the lock does not.
//!
//! # Failure
//!
//! A transaction that was not ended cleanly never returns to the pool: its connection is closed,
//! and the server rolls it back. A COMMIT whose answer is lost has an unknown outcome, and is
//! looked up ([`Ledger::look_up`]) before anything is said about it.
//!
//! # What this does not promise
//!
//! Nothing about effects outside this database, and nothing after a fail-over to a standby that
//! had not received the commit. See `docs/guarantees.md`.

mod acquire;
mod check;
mod complete;
mod connection;
mod epoch;
mod error;
mod history;
mod leased;
mod lookup;
mod migrate;
mod prune;
mod reader;
mod step;
mod survey;
mod tx;

pub use acquire::Acquired;
pub use check::Refusal;
pub use complete::{Completed, Completion};
pub use connection::Ledger;
pub use error::{Class, Error, Operation};
pub use history::History;
pub use leased::{
    Audit, Fenced, Filter, Finding, Held, Inspected, LeaseAcquired, Overdue, Release, Resolve,
};
pub use migrate::{MigrationStatus, migrate, migration_status};
pub use reader::Reader;
pub use survey::Survey;
pub use tx::Tx;
