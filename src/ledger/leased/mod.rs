//! The records of leased operations: claims that are committed before the work begins.
//!
//! # Fencing
//!
//! Each statement here says `WHERE attempt = $n AND state = …`. Zero rows is an outcome with a name,
//! [`Fenced::Lost`]: another attempt has taken over, or it is done. Whatever else the transaction
//! wrote is rolled back with it.
//!
//! # Whose clock
//!
//! A lease begins and ends by the database's clock, read when the statement runs and not when its
//! transaction began, which may have waited for a lock since.

mod acquire;
mod advance;
mod complete;
mod inspect;
mod mark_unknown;
mod overdue;
mod release;
mod renew;
mod resolve;

pub use acquire::{Held, LeaseAcquired};
pub use inspect::{Filter, Inspected};
pub use overdue::Overdue;
pub use resolve::{Audit, Finding, Release, Resolve};

/// What a fenced statement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced<T = ()> {
    /// The lease was ours.
    Done(T),
    /// It was not, and nothing was written: roll back.
    Lost,
}

impl<T> Fenced<T> {
    fn of(row: Option<T>) -> Self {
        row.map_or(Self::Lost, Self::Done)
    }
}

/// What one statement by primary key has touched.
fn touched(n_rows: u64) -> Fenced {
    if n_rows == 1 {
        Fenced::Done(())
    } else {
        Fenced::Lost
    }
}
