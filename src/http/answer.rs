//! Turns what became of a request into its HTTP answer: the one mapping of outcomes and errors.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::execute::Answered;
use super::headers::{IDEMPOTENCY_STATUS, IDEMPOTENT_REPLAYED, ORIGINAL_TIME, Status};
use super::problem::{Code, Problem};
use super::routes::Options;
use crate::domain::{self, Decision, Operation, Stored};
use crate::store::{Error, Outcome};
use crate::telemetry::metrics::{self, Label};

const NOTHING_HAPPENED: &str =
    "This attempt did nothing. Send the same request again, with the same key, after Retry-After.";

const NOBODY_KNOWS: &str = "The operation may or may not have been done. Send the same request \
     again, with the same key: it will be answered truthfully, and never be done twice.";

/// The answer, with its outcome counted.
pub(super) fn of(options: &Options, operation: &Operation, answered: Answered) -> Response {
    let (label, response) = match answered {
        Ok(Outcome::Executed(response)) => (Label::New, with_status(response, Status::Created)),
        Ok(Outcome::NotKept(response)) => (Label::NotKept, with_status(response, Status::Ignored)),
        Ok(Outcome::Decided(decision)) => decided(options, decision),
        Err(error) => failed(operation, &error),
    };
    metrics::count_outcome(operation, label);
    response
}

/// The answer to a request whose operation is still running when its time is up.
pub(super) fn not_in_time(operation: &Operation) -> Response {
    metrics::count_outcome(operation, Label::OutcomeUnknown);
    Problem::new(Code::OutcomeUnknown, NOBODY_KNOWS).into_response()
}

fn decided(options: &Options, decision: Decision) -> (Label, Response) {
    match decision {
        Decision::Replay {
            stored: Stored::Whole(stored),
            completed_at,
        } => (Label::Replayed, replay(stored, completed_at)),
        Decision::Replay {
            stored: Stored::TooLarge { status },
            ..
        } => {
            let detail = format!(
                "The operation was done and answered with {status}, and will not be done again. \
                 Its answer was too large to keep; read the resource instead."
            );
            (
                Label::NotReplayable,
                Problem::new(Code::ResponseNotReplayable, detail).into_response(),
            )
        }
        Decision::Unverifiable => {
            let detail = "The operation was done by a version of this service whose fingerprints \
                this one can't compare, so its answer is withheld. Read the resource instead.";
            (
                Label::NotReplayable,
                Problem::new(Code::ResponseNotReplayable, detail).into_response(),
            )
        }
        Decision::InFlight { retry_after } => {
            let detail = "Wait for Retry-After, then send the same request with the same key.";
            let problem = Problem::new(Code::InFlight, detail).retry_after(retry_after);
            (Label::InFlight, problem.into_response())
        }
        Decision::Mismatch => {
            let detail = "Use a new key for a new operation; to repeat the first one, send its \
                request unchanged.";
            let problem =
                Problem::new(Code::KeyReused, detail).with_status(options.mismatch_status);
            (Label::Mismatch, problem.into_response())
        }
        Decision::Execute => {
            tracing::error!("invariant: the store never returns a request that is to be executed");
            (
                Label::Failed,
                Problem::new(Code::Internal, NOTHING_HAPPENED).into_response(),
            )
        }
    }
}

fn replay(stored: domain::Response, completed_at: OffsetDateTime) -> Response {
    let mut response = Response::new(Body::from(stored.body));
    *response.status_mut() = stored.status;
    *response.headers_mut() = stored.headers;
    let headers = response.headers_mut();
    headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let time = completed_at
        .format(&Rfc3339)
        .ok()
        .and_then(|it| HeaderValue::try_from(it).ok());
    if let Some(time) = time {
        headers.insert(ORIGINAL_TIME, time);
    }
    with_status(response, Status::Replayed)
}

fn with_status(mut response: Response, status: Status) -> Response {
    response
        .headers_mut()
        .insert(IDEMPOTENCY_STATUS, status.value());
    response
}

fn failed(operation: &Operation, error: &Error) -> (Label, Response) {
    let cause = error as &dyn std::error::Error;
    match error {
        Error::Unavailable(_) | Error::Injected(_) | Error::TimedOut => {
            tracing::warn!(%operation, error = cause, "nothing was done");
            let problem = Problem::new(Code::StoreUnavailable, NOTHING_HAPPENED);
            (Label::Unavailable, problem.into_response())
        }
        Error::OutcomeUnknown(_) => {
            tracing::warn!(%operation, error = cause, "the outcome is not known");
            let problem = Problem::new(Code::OutcomeUnknown, NOBODY_KNOWS);
            (Label::OutcomeUnknown, problem.into_response())
        }
        Error::Panicked(_) | Error::Permanent(_) | Error::TransactionEscaped => {
            tracing::error!(%operation, error = cause, "nothing was done");
            (
                Label::Failed,
                Problem::new(Code::Internal, NOTHING_HAPPENED).into_response(),
            )
        }
    }
}
