//! Redis, the hot path: answers quickly what the ledger has decided, and decides nothing.
//!
//! # Overview
//!
//! For each record there is at most one value in Redis, and it is a hint:
//!
//! - a **latch** says that somebody works on the operation, a little before the ledger can tell;
//! - a **completed** answer repeats what the ledger has committed.
//!
//! Any error here means the same to the caller: no Redis for this request, ask the ledger. No
//! error makes a request fail, and whatever would be wrong after `FLUSHALL` is wrong.
//!
//! # State model
//!
//! ```text
//!             acquire: SET NX GET PX              complete: SET PXAT
//!   (nothing) ───────────────────────▶ latch ─────────────────────────▶ completed
//!       ▲                               │  ▲                                │
//!       ├── release: delete if it's ours┘  └── (a new acquire after that)   │
//!       └── expiry, eviction, fail-over, FLUSHALL: at any instant ──────────┘
//! ```
//!
//! `complete` also comes from nothing, where the latch was lost. Only `complete` overwrites.
//!
//! # Time
//!
//! Redis' clock ends keys, the ledger's clock is inside the answers, our own measures timeouts. A
//! clock that is wrong makes a hint come or go at the wrong moment, no more.
//!
//! # Concurrency
//!
//! One record's commands go over one connection of this process, in the order they were begun.
//! Between processes there is no order, and none is needed.
//!
//! # Failure
//!
//! Each step ends within `settings.timeout`. A [breaker](crate::breaker) keeps a hanging Redis
//! from costing that much each time. Connections are made in the background and never by a
//! request. Nothing is tried twice: the ledger is the second try.
//!
//! # What this does not promise
//!
//! That a latch excludes anybody; that an answer is there; that what is there is true. The epoch in
//! each value tells the caller whether it belongs to the ledger's present history, the expiry
//! whether it still counts, and the fingerprint whether it is about the same request.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::breaker::Breaker;

mod acquire;
mod codec;
mod complete;
mod connection;
mod envelope;
mod error;
mod exchange;
mod keys;
mod probe;
mod release;
mod start;

pub(crate) use crate::config::Hot as Settings;
pub use acquire::Acquired;
pub use complete::Cached;
pub use envelope::{Completed, Content, Envelope, Latch};
pub use error::{Class, Error, Operation, Refusal};
pub use probe::{Probed, Unfit};
pub use release::Released;
pub use start::{Reason, Status};

/// The hot path of one store. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Hot {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// `None` in a store without Redis.
    connections: Option<Arc<connection::Connections>>,
    breaker: Breaker,
    /// Whether Redis had no room for the last write.
    is_full: AtomicBool,
}
