//! What an operation outside Postgres consists of: named phases that write, or call somebody.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{Carried, Response, Tenant};
use crate::ledger::Tx;

/// Why a phase did not do its part.
pub type PhaseError = Box<dyn Error + Send + Sync>;

/// An operation whose effects lie outside Postgres. It goes through its phases in their order; each
/// one's end is committed, and an attempt that comes later goes on after it.
pub trait LeasedOperation: fmt::Debug + Send + Sync + 'static {
    /// The phases, at least one, with names of their own. The last one writes and finishes.
    ///
    /// Records of a former version may be in the middle: keep a phase's name and what it records.
    fn phases(&self) -> &[Phase];

    /// Does a writing phase's part in `tx`, which is committed together with the recovery point, or
    /// rolled back whole.
    fn write<'a>(
        &'a self,
        phase: &'a str,
        context: Context<'a>,
        tx: &'a mut Tx,
    ) -> BoxFuture<'a, Result<Written, PhaseError>>;

    /// Makes a calling phase's call, once, with `key` where the other side takes one. It may be
    /// dropped at its time-out.
    fn call<'a>(&'a self, phase: &'a str, context: Context<'a>, key: Uuid)
    -> BoxFuture<'a, Called>;
}

/// What a phase goes by.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whose operation it is.
    pub tenant: &'a Tenant,
    /// The request, and what the phases before have recorded.
    pub carried: &'a Carried,
}

/// One phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a phase does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    Call(Calling),
}

/// How a phase calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calling {
    /// Whether the other side tells repeats by our key.
    pub(super) accepts_keys: bool,
    /// How long one call may take.
    pub(super) timeout: Duration,
}

/// What a writing phase came to.
#[derive(Debug)]
pub enum Written {
    /// The next phase may begin; this is recorded under this one's name. No secrets: it is stored.
    Next(Value),
    /// The operation is done, and this is its answer: status 200 to 499.
    Finished(Response),
}

/// What a call came to.
#[derive(Debug)]
pub enum Called {
    /// The other side has said what it did, or that it never will. Recorded under the phase's name.
    Answered(Value),
    /// Surely nothing was done: it was not sent, or was turned away.
    NotDone(PhaseError),
    /// It may have been done.
    Unanswered(PhaseError),
    /// It had no effect, and was tried as often as one attempt may: a later one tries again.
    GivenUp(PhaseError),
}

impl Phase {
    /// A phase that writes to Postgres.
    pub const fn write(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Write,
        }
    }

    /// A phase that calls somebody. `accepts_keys` says that they tell repeats by our key: it is a
    /// promise of theirs, and where it is wrong a call is done twice.
    pub const fn call(name: &'static str, accepts_keys: bool, timeout: Duration) -> Self {
        Self {
            name,
            kind: Kind::Call(Calling {
                accepts_keys,
                timeout,
            }),
        }
    }
}
