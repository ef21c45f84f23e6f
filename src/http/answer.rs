//! Turns what became of a request into its HTTP answer: the one mapping of outcomes and errors.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::code::Code;
use super::execute::Answered;
use super::headers::{IDEMPOTENCY_STATUS, IDEMPOTENT_REPLAYED, ORIGINAL_TIME, Status};
use super::problem::{PROBLEM_JSON, Problem};
use super::routes::Options;
use crate::domain::{self, Decision, Stored};
use crate::store::{Error, Outcome};

const NOTHING_HAPPENED: &str =
    "This attempt did nothing. Send the same request again, with the same key, after Retry-After.";

const NOBODY_KNOWS: &str = "The operation may or may not have been done. Send the same request \
     again, with the same key: it will be answered truthfully, and never be done twice.";

const NOBODY_KNOWS_UNKEYED: &str = "The operation may or may not have been done, and without an \
     Idempotency-Key to send it again is to do it again. Look first.";

/// The answer to what became of a request.
pub(super) fn of(options: &Options, is_keyed: bool, answered: Answered) -> Response {
    match answered {
        Ok(Outcome::Executed(response)) => with_status(response, Status::Created),
        Ok(Outcome::NotKept(response)) => with_status(response, Status::Ignored),
        Ok(Outcome::Decided(decision)) => decided(options, decision),
        Err(error) => failed(&error, is_keyed).into_response(),
    }
}

/// The answer to what became of a request for a leased operation.
pub(super) fn of_leased(
    options: &Options,
    answered: Result<Outcome<domain::Response>, Error>,
) -> Response {
    let answered = answered.map(|outcome| match outcome {
        Outcome::Executed(answer) => Outcome::Executed(first(answer)),
        Outcome::NotKept(answer) => Outcome::NotKept(first(answer)),
        Outcome::Decided(decision) => Outcome::Decided(decision),
    });
    of(options, true, answered)
}

/// A stored answer as its first caller gets it.
fn first(answer: domain::Response) -> Response {
    let is_problem = answer.headers.get(CONTENT_TYPE) == Some(&PROBLEM_JSON);
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if is_problem {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The answer to a request whose operation is still running when its time is up.
pub(super) fn not_in_time(is_keyed: bool) -> Response {
    outcome_unknown(is_keyed).into_response()
}

fn outcome_unknown(is_keyed: bool) -> Problem {
    if is_keyed {
        Problem::new(Code::OutcomeUnknown, NOBODY_KNOWS)
    } else {
        Problem::new(Code::OutcomeUnknown, NOBODY_KNOWS_UNKEYED).unkeyed()
    }
}

fn decided(options: &Options, decision: Decision) -> Response {
    let problem = match decision {
        Decision::Replay {
            stored: Stored::Whole(stored),
            completed_at,
        } => return replay(stored, completed_at),
        Decision::Replay {
            stored: Stored::TooLarge { status },
            ..
        } => {
            let detail = format!(
                "The operation was done and answered with {status}, and will not be done again. \
                 Its answer was too large to keep; read the resource instead."
            );
            Problem::new(Code::ResponseNotReplayable, detail)
        }
        Decision::Unverifiable => {
            // It ends by itself where a deploy brings a new secret: the other instances have it.
            let detail = "There is a record for this key, made by a version of this service \
                whose fingerprints this one can't compare. Send the same request again, with the \
                same key: it will not be done twice.";
            Problem::new(Code::OutcomeUnknown, detail)
        }
        Decision::InFlight { retry_after } => {
            let detail = "Wait for Retry-After, then send the same request with the same key.";
            Problem::new(Code::InFlight, detail).retry_after(retry_after)
        }
        Decision::Unknown { identity } => {
            let detail = "A call to somebody else was sent and never answered, and it is not sent a \
                second time. Once an operator has looked, the same request with the same key gets \
                the answer.";
            Problem::new(Code::OperationUnknown, detail).operation_ref(identity.reference())
        }
        Decision::Mismatch => {
            let detail = "Use a new key for a new operation; to repeat the first one, send its \
                request unchanged.";
            Problem::new(Code::KeyReused, detail).with_status(options.mismatch_status)
        }
        Decision::Execute => {
            tracing::error!("invariant: the store never returns a request that is to be executed");
            Problem::new(Code::Internal, NOTHING_HAPPENED)
        }
    };
    problem.into_response()
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

fn failed(error: &Error, is_keyed: bool) -> Problem {
    let problem = match error {
        Error::Unavailable(_) | Error::Injected(_) | Error::TimedOut => {
            Problem::new(Code::StoreUnavailable, NOTHING_HAPPENED)
        }
        Error::OutcomeUnknown(_) => outcome_unknown(is_keyed),
        Error::Corrupt(_) => {
            let detail = "The operation was done and will not be done again, but its record can't \
                be read. Read the resource instead.";
            Problem::new(Code::ResponseNotReplayable, detail)
        }
        Error::Unfinished(_) => {
            let detail = "The operation could not be brought to its end this time. What is done is \
                not done again: send the same request again, with the same key, after Retry-After.";
            Problem::new(Code::OperationUnfinished, detail)
        }
        Error::NoPhases => Problem::new(Code::Internal, NOTHING_HAPPENED),
        Error::Panicked(_) | Error::Permanent(_) | Error::TransactionEscaped => {
            Problem::new(Code::Internal, NOTHING_HAPPENED)
        }
    };
    if is_keyed { problem } else { problem.unkeyed() }
}
