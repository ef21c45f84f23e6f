//! Messages that were set aside, applied from the ledger: the broker may lose them.
//!
//! ```text
//!   claim     count the attempt, lease the row, commit: a message that kills us has counted
//!   work      leave waiting (fenced by the attempt's number), insert into the inbox, apply, commit
//!   settle    failed: wait and try again, or give up after the last attempt
//! ```
//!
//! A message whose predecessor is missing is not due. When that lasts, the predecessor is asked for
//! again.

mod claim;
mod gap;
pub(super) mod give_up;
mod rounds;
mod settle;
mod work;

pub(super) use rounds::rounds;
