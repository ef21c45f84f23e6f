//! The checks before a guarded operation runs, in their order.

use std::error::Error as StdError;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{MatchedPath, OriginalUri, Request};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::LengthLimitError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::answer;
use super::body::{Validate, parse};
use super::code::Code;
use super::execute::{execute, execute_leased};
use super::headers::{IDEMPOTENCY_KEY, ONCELY_ATTEMPT};
use super::policy::{Kind, Policy};
use super::prefer;
use super::problem::Problem;
use super::routes::Layer;
use super::tx::trace_of;
use crate::domain::{Carried, Claim, Key, KeyError, Operation, Subject, Tenant};
use crate::store::{Leased, Patience};
use crate::telemetry::metrics;

/// Guards one route.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    layer: Arc<Layer>,
    operation: Operation,
    policy: Arc<Policy>,
}

impl Guard {
    pub(super) fn new(layer: Arc<Layer>, operation: Operation, policy: Policy) -> Self {
        Self {
            layer,
            operation,
            policy: Arc::new(policy),
        }
    }

    /// Answers a request: refuses it, repeats an answer, or runs `handler`.
    ///
    /// # Cancellation
    ///
    /// Before the operation runs, nothing is stored. From then on it ends by itself.
    pub(super) async fn handle<H, T, S>(self, handler: H, state: S, request: Request) -> Response
    where
        H: Handler<T, S>,
        S: Send + 'static,
    {
        let operation = self.operation(&request);
        let _took = Took::of(&operation);
        let deadline = Instant::now() + self.layer.options.request_timeout;
        let (parts, body) = request.into_parts();
        let (claim, body) = match self.checked(&operation, &parts, body, deadline).await {
            Ok(checked) => checked,
            Err(problem) => return problem.into_response(),
        };
        let is_keyed = claim.is_some();
        let mut patience = self.patience(&parts, is_keyed);
        let request = Request::from_parts(parts, Body::from(body));
        let deadline = deadline + patience.limit();
        let claim = (claim, &mut patience);
        let running = execute(&self.layer, &operation, claim, (handler, state), request);
        let response = match timeout_at(deadline, running).await {
            Ok(answered) => answer::of(&self.layer.options, is_keyed, answered),
            Err(_elapsed) => answer::not_in_time(is_keyed),
        };
        prefer::applied(response, &patience)
    }

    /// Answers a request for a leased operation: refuses it, repeats an answer, runs the operation, or
    /// goes on where an attempt that was abandoned got to.
    ///
    /// # Cancellation
    ///
    /// As [`Guard::handle`].
    pub(super) async fn handle_leased<B>(self, leased: Leased, request: Request) -> Response
    where
        B: DeserializeOwned + Validate + Serialize,
    {
        let operation = self.operation(&request);
        if operation != self.operation {
            // A nested router: the rescuer looks for it by its whole name.
            self.layer.store.register(operation.clone(), leased.clone());
        }
        let _took = Took::of(&operation);
        let deadline = Instant::now() + self.layer.options.request_timeout;
        let (parts, body) = request.into_parts();
        let checked = self.checked(&operation, &parts, body, deadline).await;
        let read = checked.and_then(|(claim, body)| {
            let claim = claim.ok_or_else(no_tenant)?;
            let request: B = parse(&parts.headers, &body)?;
            let request = serde_json::to_value(request).map_err(|cause| {
                let cause = &cause as &dyn StdError;
                tracing::error!(cause, "a request that was read can't be written as JSON");
                Problem::new(Code::Internal, "The request can't be answered.")
            })?;
            let carried = Carried::of_request(request).traced(&trace_of(&parts.headers));
            Ok((claim, carried))
        });
        let (claim, carried) = match read {
            Ok(read) => read,
            Err(problem) => return problem.into_response(),
        };
        let mut patience = self.patience(&parts, true);
        let deadline = deadline + patience.limit();
        let claim = (claim, &mut patience);
        let running = execute_leased(&self.layer, &operation, claim, (leased, carried));
        let response = match timeout_at(deadline, running).await {
            Ok(answered) => answer::of_leased(&self.layer.options, answered),
            Err(_elapsed) => answer::not_in_time(true),
        };
        prefer::applied(response, &patience)
    }

    /// How long this request waits, should somebody else be at it.
    fn patience(&self, parts: &Parts, is_keyed: bool) -> Patience {
        let asked = is_keyed.then(|| prefer::wait(&parts.headers)).flatten();
        self.layer.options.waiting.patience(asked)
    }

    /// Counts the request and checks it, within its time.
    async fn checked(
        &self,
        operation: &Operation,
        parts: &Parts,
        body: Body,
        deadline: Instant,
    ) -> Result<(Option<Claim>, Bytes), Problem> {
        metrics::count_attempt(operation, attempt_of(parts));
        let checked = self.check(operation, parts, body);
        // A body that trickles in holds nothing but its own connection.
        let checked = match timeout_at(deadline, checked).await {
            Ok(checked) => checked,
            Err(_elapsed) => Err(Problem::new(
                Code::BodyIncomplete,
                "The body took too long to arrive. Send the same request again, with the same key.",
            )),
        };
        checked.inspect_err(|problem| {
            metrics::count_refused(operation, problem.code().as_str());
        })
    }

    /// The operation with the whole of its route's template. A router that was nested knows only the
    /// end of it, and the same end under two prefixes is two operations.
    fn operation(&self, request: &Request) -> Operation {
        let own = self.operation.as_str();
        let whole = request.extensions().get::<MatchedPath>();
        match whole.map(|it| format!("{} {}", request.method(), it.as_str())) {
            Some(whole) if whole != own => Operation::new(whole).unwrap_or(self.operation.clone()),
            Some(_) | None => self.operation.clone(),
        }
    }

    async fn check(
        &self,
        operation: &Operation,
        parts: &Parts,
        body: Body,
    ) -> Result<(Option<Claim>, Bytes), Problem> {
        let tenant = parts.extensions.get::<Tenant>().ok_or_else(no_tenant)?;
        let key = self.key(parts)?;
        let body = read(body, self.layer.options.body_limit_bytes).await?;
        if let Some(check) = self.policy.check {
            check(&parts.headers, &body)?;
        }
        let Some(key) = key else {
            return Ok((None, body));
        };
        let scope = (tenant.clone(), operation.clone(), &key);
        let subject = self.subject(parts, body.clone());
        let fingerprinter = Arc::clone(&self.layer.options.fingerprinter);
        let claim = Claim::new(scope, self.policy.algorithm, subject, fingerprinter)
            .map_err(|cause| Problem::new(Code::BodyInvalid, sentence(&cause)))?;
        Ok((Some(claim), body))
    }

    fn key(&self, parts: &Parts) -> Result<Option<Key>, Problem> {
        let values = parts
            .headers
            .get_all(IDEMPOTENCY_KEY)
            .iter()
            .map(http::HeaderValue::as_bytes);
        match Key::from_header(values) {
            Ok(key) => Ok(Some(key)),
            Err(KeyError::Missing) if self.policy.kind == Kind::Optional => Ok(None),
            Err(error @ KeyError::Missing) => Err(Problem::new(Code::KeyMissing, sentence(&error))),
            Err(
                error @ (KeyError::Many
                | KeyError::Empty
                | KeyError::TooLong
                | KeyError::NotPrintable
                | KeyError::Malformed),
            ) => Err(Problem::new(Code::KeyInvalid, sentence(&error))),
        }
    }

    fn subject(&self, parts: &Parts, body: Bytes) -> Subject {
        // A nested router sees a shortened path; what was asked for is the whole one.
        let uri = parts
            .extensions
            .get::<OriginalUri>()
            .map_or(&parts.uri, |it| &it.0);
        let text = |it: &http::HeaderValue| String::from_utf8_lossy(it.as_bytes()).into_owned();
        let headers = self.policy.headers.iter().flat_map(|name| {
            let values = parts.headers.get_all(name).iter();
            values.map(|it| (name.as_str().to_owned(), it.as_bytes().to_vec()))
        });
        Subject {
            method: parts.method.as_str().to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            content_type: parts
                .headers
                .get(CONTENT_TYPE)
                .map(text)
                .unwrap_or_default(),
            headers: headers.collect(),
            body,
        }
    }
}

/// Measures a request until it is dropped: answered, or given up by its client.
struct Took<'a> {
    operation: &'a Operation,
    since: Instant,
}

impl<'a> Took<'a> {
    fn of(operation: &'a Operation) -> Self {
        Self {
            operation,
            since: Instant::now(),
        }
    }
}

impl Drop for Took<'_> {
    fn drop(&mut self) {
        metrics::request_took(self.operation, self.since.elapsed());
    }
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            Code::BodyTooLarge,
            format!("Send a body of at most {limit} bytes."),
        )
    };
    // A length that was declared is refused before a byte of it is read.
    if u64::try_from(limit).is_ok_and(|limit| limit < body.size_hint().lower()) {
        return Err(too_large());
    }
    to_bytes(body, limit).await.map_err(|error| {
        if error
            .source()
            .is_some_and(<dyn StdError>::is::<LengthLimitError>)
        {
            too_large()
        } else {
            Problem::new(
                Code::BodyIncomplete,
                "The body did not arrive whole. Send the same request again, with the same key.",
            )
        }
    })
}

fn attempt_of(parts: &Parts) -> u32 {
    let value = parts
        .headers
        .get(ONCELY_ATTEMPT)
        .and_then(|it| it.to_str().ok());
    value.and_then(|it| it.trim().parse().ok()).unwrap_or(1)
}

/// An error's text as a sentence.
fn sentence(error: &dyn StdError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(chars).chain(['.']).collect()
}

fn no_tenant() -> Problem {
    tracing::error!(
        "a request reached a guarded route without a tenant: call Routes::authenticate or \
         Routes::single_tenant, or insert an oncely::domain::Tenant in a layer of your own"
    );
    Problem::new(Code::Internal, "The request can't be answered.")
}
