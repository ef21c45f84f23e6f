//! How a handler gets the transaction that its effects belong into.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use sqlx::PgConnection;
use uuid::Uuid;

use super::code::Code;
use super::problem::Problem;
use crate::domain::{Aggregate, trace_id};
use crate::ledger;
use crate::outbox::{self, EnqueueError, Event, LockedAggregate};

/// The transaction of this request, as an extractor.
///
/// Use it as a `PgConnection`: `sqlx::query("…").execute(&mut *tx)`. The layer commits what was
/// written through it together with the answer:
///
/// - 2xx: writes and answer are committed, and the answer is replayed from then on;
/// - a refusal such as 402, 404, 409 or 422: the writes are rolled back, the answer is kept;
/// - any other status, a panic, a time-out: nothing is kept, and a retry runs again.
///
/// [`Keeping`] overrules this for one answer. The handler must drop its `Tx` before it answers,
/// which it does unless it moves it elsewhere.
#[derive(Debug)]
pub struct Tx {
    /// `None` only while it is dropped.
    held: Option<ledger::Tx>,
    slot: Slot,
    /// The request's trace, for events to carry on.
    trace: Vec<(&'static str, String)>,
}

/// What a trace is carried by: W3C Trace Context.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// Overrules what is kept of an answer: put it into the response's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Commit writes and answer.
    EffectsAndAnswer,
    /// Roll the writes back and keep the answer.
    Answer,
    /// Roll the writes back and keep nothing.
    Nothing,
}

/// Where the transaction lies while the handler does not hold it.
#[derive(Debug, Clone)]
pub(super) struct Slot(Arc<Mutex<Option<ledger::Tx>>>);

impl Slot {
    pub(super) fn holding(tx: ledger::Tx) -> Self {
        Self(Arc::new(Mutex::new(Some(tx))))
    }

    pub(super) fn take(&self) -> Option<ledger::Tx> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put_back(&self, tx: ledger::Tx) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx);
    }
}

impl<S: Sync> FromRequestParts<S> for Tx {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let slot = parts.extensions.get::<Slot>().cloned();
        let taken = slot.and_then(|slot| Some((slot.take()?, slot)));
        let taken = taken.map(|(tx, slot)| Self {
            held: Some(tx),
            slot,
            trace: trace_of(&parts.headers),
        });
        taken.ok_or_else(|| {
            tracing::error!(
                "a handler asks for oncely::http::Tx, but its route has no required or optional \
                 policy, or it asks twice"
            );
            Problem::new(Code::Internal, "The request can't be answered.")
        })
    }
}

impl Tx {
    /// Locks an aggregate until this request's transaction ends, so that its events can be enqueued.
    pub async fn lock(&mut self, aggregate: Aggregate) -> sqlx::Result<LockedAggregate> {
        LockedAggregate::lock(self.inner(), aggregate).await
    }

    /// Enqueues an event in this request's transaction: it is published if and only if that commits.
    /// It carries the request's `traceparent`.
    pub async fn enqueue(
        &mut self,
        locked: &mut LockedAggregate,
        mut event: Event,
    ) -> Result<Uuid, EnqueueError> {
        for (name, value) in &self.trace {
            event = event.header(*name, value);
        }
        outbox::enqueue(self.inner(), locked, event).await
    }

    fn inner(&mut self) -> &mut ledger::Tx {
        self.held.as_mut().expect("invariant: held until dropped")
    }
}

/// The headers that carry on a request's trace, for an event that its handler enqueues without [`Tx`].
pub fn trace_of(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let value = |name| headers.get(name)?.to_str().ok();
    // What is no trace is a caller's text, and would be stored with the event.
    if value(TRACE[0]).and_then(trace_id).is_none() {
        return Vec::new();
    }
    let found = TRACE.map(|name| value(name).map(|it| (name, it.to_owned())));
    found.into_iter().flatten().collect()
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(tx) = self.held.take() {
            self.slot.put_back(tx);
        }
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.held.as_ref().expect("invariant: held until dropped")
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.inner()
    }
}
