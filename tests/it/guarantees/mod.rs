//! The rows of `docs/guarantees.md` that no other suite proves, one file for each subject; each
//! test ends with the books.

mod clocks;
mod cut_off_holder;
mod deadlock;
mod locked_ledger;
mod lost_redis_reply;
mod lost_request;
mod promotion;
mod redis_failover;
mod redis_sides;
mod refused_writes;
mod shared_lock;
mod standby_wait;
mod vanished_record;
mod world;
