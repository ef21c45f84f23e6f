//! Runs a handler inside the store, and keeps of its answer what its status allows.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};

use super::code::Code;
use super::problem::Problem;
use super::routes::Layer;
use super::tx::{Keeping, Slot};
use crate::domain::{self, Carried, Claim, Decision, Operation, Stored, Tenant, is_storable};
use crate::ledger;
use crate::store::{Error, Finished, Keep, Leased, Outcome, Patience};
use crate::telemetry::metrics::{self, Label};

/// What became of the request; an answer of the handler is whole, its body read to the end.
pub(super) type Answered = Result<Outcome<Response>, Error>;

/// Runs `handler` for `claim`, or without a key where there is none.
///
/// What it comes to is counted where it ends, also for a client that is gone by then.
pub(super) async fn execute<H, T, S>(
    layer: &Arc<Layer>,
    operation: &Operation,
    (claim, patience): (Option<Claim>, &mut Patience),
    (handler, state): (H, S),
    mut request: Request,
) -> Answered
where
    H: Handler<T, S>,
    S: Send + 'static,
{
    let options = Arc::clone(layer);
    let work = move |tx: ledger::Tx| async move {
        let slot = Slot::holding(tx);
        request.extensions_mut().insert(slot.clone());
        let response = handler.call(request, state).await;
        finish(&options, response, &slot).await
    };
    let operation = operation.clone();
    if let Some(claim) = claim {
        let whose = Whose::of(&claim);
        let observe = move |ended: &Answered| {
            whose.note(&operation, ended);
            note(&operation, label_of(ended), ended.as_ref().err());
        };
        let ended = layer.store.transactional(claim, patience, work, observe);
        return ended.await;
    }
    let observe = move |ended: &Result<Response, Error>| {
        let label = ended
            .as_ref()
            .map_or_else(label_of_error, |_| Label::NotKept);
        note(&operation, label, ended.as_ref().err());
    };
    layer
        .store
        .unkeyed(work, observe)
        .await
        .map(Outcome::NotKept)
}

/// Whose request it is. A 422 spike has one author, and a metric must not name him: the log does.
struct Whose {
    tenant: Tenant,
    id: String,
}

impl Whose {
    fn of(claim: &Claim) -> Self {
        Self {
            tenant: claim.tenant.clone(),
            id: claim.identity.reference(),
        }
    }

    fn note<T>(&self, operation: &Operation, ended: &Result<Outcome<T>, Error>) {
        if matches!(ended, Ok(Outcome::Decided(Decision::Mismatch))) {
            let (tenant, id) = (self.tenant.as_str(), &self.id);
            tracing::info!(tenant, %operation, id, "422: the key was used for another request");
        }
    }
}

/// Counts an end, and logs its error: here, once, with the whole chain.
fn note(operation: &Operation, label: Label, error: Option<&Error>) {
    metrics::count_outcome(operation, label);
    let Some(error) = error else { return };
    let cause = error as &dyn std::error::Error;
    match label {
        Label::Failed | Label::NotReplayable => {
            tracing::error!(%operation, outcome = label.as_str(), error = cause, "the operation failed");
        }
        Label::New
        | Label::NotKept
        | Label::Replayed
        | Label::InFlight
        | Label::Mismatch
        | Label::Unverifiable
        | Label::Unavailable
        | Label::OperationUnknown
        | Label::Unfinished
        | Label::OutcomeUnknown => {
            tracing::warn!(%operation, outcome = label.as_str(), error = cause, "the operation failed");
        }
    }
}

/// Runs a leased operation for `claim`; its end is counted like any other's.
pub(super) async fn execute_leased(
    layer: &Arc<Layer>,
    operation: &Operation,
    (claim, patience): (Claim, &mut Patience),
    operation_and_request: (Leased, Carried),
) -> Result<Outcome<domain::Response>, Error> {
    let operation = operation.clone();
    let whose = Whose::of(&claim);
    let observe = move |ended: &Result<Outcome<domain::Response>, Error>| {
        whose.note(&operation, ended);
        note(&operation, label_of(ended), ended.as_ref().err());
    };
    let ended = layer
        .store
        .leased(claim, patience, operation_and_request, observe);
    ended.await
}

fn label_of<T>(ended: &Result<Outcome<T>, Error>) -> Label {
    match ended {
        Ok(Outcome::Executed(_)) => Label::New,
        Ok(Outcome::NotKept(_)) => Label::NotKept,
        Ok(Outcome::Decided(decision)) => label_of_decision(decision),
        Err(error) => label_of_error(error),
    }
}

fn label_of_decision(decision: &Decision) -> Label {
    match decision {
        Decision::Replay {
            stored: Stored::Whole(_),
            ..
        } => Label::Replayed,
        Decision::Replay {
            stored: Stored::TooLarge { .. },
            ..
        } => Label::NotReplayable,
        Decision::InFlight { .. } => Label::InFlight,
        Decision::Unknown { .. } => Label::OperationUnknown,
        Decision::Mismatch => Label::Mismatch,
        Decision::Unverifiable => Label::Unverifiable,
        Decision::Execute => Label::Failed,
    }
}

fn label_of_error(error: &Error) -> Label {
    match error {
        Error::Unavailable(_) | Error::Injected(_) | Error::TimedOut => Label::Unavailable,
        Error::OutcomeUnknown(_) => Label::OutcomeUnknown,
        Error::Corrupt(_) => Label::NotReplayable,
        Error::Unfinished(_) => Label::Unfinished,
        Error::Panicked(_) | Error::Permanent(_) | Error::NoPhases | Error::TransactionEscaped => {
            Label::Failed
        }
    }
}

/// Reads the answer's body to its end, while the transaction is still open: a body that is made
/// as it is read may still write.
async fn finish(layer: &Layer, response: Response, slot: &Slot) -> Finished<Response> {
    let (parts, body) = response.into_parts();
    let keeping = parts.extensions.get::<Keeping>().copied();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        tracing::error!("a handler's answer broke off; nothing is kept");
        let problem = Problem::new(Code::Internal, "The answer could not be made.");
        return Finished {
            tx: slot.take(),
            keep: Keep::Nothing,
            value: problem.into_response(),
        };
    };
    let kept = domain::Response {
        status: parts.status,
        headers: layer.options.replay_headers.filter(&parts.headers),
        body: bytes.clone(),
    };
    let stored = || Stored::bounded(kept, layer.options.response_limit_bytes);
    let keep =
        match keeping.map_or_else(|| keeping_of(parts.status), |it| allowed(it, parts.status)) {
            Some(Keeping::EffectsAndAnswer) => Keep::EffectsAndAnswer(stored()),
            Some(Keeping::Answer) => Keep::Answer(stored()),
            Some(Keeping::Nothing) | None => Keep::Nothing,
        };
    Finished {
        tx: slot.take(),
        keep,
        value: Response::from_parts(parts, Body::from(bytes)),
    }
}

/// What a handler asks to keep, unless its status says that nobody knows what happened.
fn allowed(keeping: Keeping, status: http::StatusCode) -> Option<Keeping> {
    let is_final = status.as_u16() < 500 && !status.is_informational();
    if !is_final && keeping != Keeping::Nothing {
        tracing::error!(%status, "a handler asks to keep an answer of this status; nothing is kept");
    }
    is_final.then_some(keeping)
}

fn keeping_of(status: http::StatusCode) -> Option<Keeping> {
    if !is_storable(status) {
        None
    } else if status.is_client_error() {
        Some(Keeping::Answer)
    } else {
        Some(Keeping::EffectsAndAnswer)
    }
}
