//! Words and decisions, pure: no I/O, no clock, no threads.
//!
//! Everything that Redis, Postgres and HTTP agree on is said here once: what a key is, what makes
//! two requests the same request, what is stored of an answer, and what to do with a request when
//! a record is, or is not, already there.

mod canonical_json;
mod claim;
mod decide;
mod epoch;
mod event;
mod fingerprint;
mod key;
mod lease;
mod record;
mod response;
mod scope;
mod trace;

pub use canonical_json::{BodyError, canonicalize};
pub use claim::Claim;
pub use decide::{
    Decision, RETRY_AFTER, decide, decide_busy, decide_found, decide_lost, decide_unanswered,
};
pub use epoch::Epoch;
pub use event::{Aggregate, EventError, Message, SHARDS, Topic, floor_id, time_of_id};
pub(crate) use fingerprint::json_type;
pub use fingerprint::{Algorithm, Fingerprint, Fingerprinter, Subject, Verdict};
pub use key::{Key, KeyError};
pub use lease::{
    Carried, CarriedError, Lease, Progress, Sending, Unanswered, after_call, before_call,
    downstream_key, may_take_over,
};
pub use record::{Record, State};
pub use response::{HeaderAllowList, HeaderRefused, Response, Stored, is_storable};
pub use scope::{Identity, Operation, ScopeError, Tenant};
pub use trace::trace_id;
