//! The client over a server that plays a script, on paused time: hours of waiting take no time, and
//! each instant can be compared.

mod hints;
mod limits;
mod outage;
mod outcomes;
mod problems;
mod retries;
mod storms;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use tokio::time::Instant;

use super::operation::{IDEMPOTENCY_KEY, ONCELY_ATTEMPT};
use super::transport::{Lost, Sent, Transport};
use super::{Client, Deadline, Error, Operation, Outcome, Policy, Response};

/// What the server does with a request.
#[derive(Debug, Clone)]
enum Step {
    /// It answers after a while: status, headers, body.
    Answer(Duration, u16, Vec<(&'static str, String)>, &'static str),
    /// The connection is reset after the request was sent.
    Reset,
    /// There is no connection.
    Refuse,
    /// It never answers.
    Hang,
}

/// What the server received, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    at: Duration,
    key: String,
    attempt: String,
    body: Bytes,
}

/// A server that plays a script, and then its last step for ever.
#[derive(Debug)]
struct Script {
    began_at: Instant,
    steps: Mutex<VecDeque<Step>>,
    seen: Mutex<Vec<Seen>>,
}

fn status(status: u16) -> Step {
    Step::Answer(Duration::ZERO, status, Vec::new(), "{}")
}

fn hinted(status: u16, retry_after: &str) -> Step {
    let headers = vec![("retry-after", retry_after.to_owned())];
    Step::Answer(Duration::ZERO, status, headers, "{}")
}

fn slow(millis: u64, status: u16) -> Step {
    Step::Answer(Duration::from_millis(millis), status, Vec::new(), "{}")
}

/// A problem document, with more headers.
fn problem(status: u16, body: &'static str, headers: &[(&'static str, &str)]) -> Step {
    let kind = ("content-type", "application/problem+json".to_owned());
    let more = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let headers = std::iter::once(kind).chain(more).collect();
    Step::Answer(Duration::ZERO, status, headers, body)
}

impl Script {
    fn of(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        Arc::new(Self {
            began_at: Instant::now(),
            steps: Mutex::new(steps.into_iter().collect()),
            seen: Mutex::default(),
        })
    }

    fn client(self: &Arc<Self>) -> Client {
        self.client_with(Policy::default())
    }

    fn client_with(self: &Arc<Self>, policy: Policy) -> Client {
        Client::over(Arc::clone(self) as Arc<dyn Transport>, policy)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn n_seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn next(&self) -> Step {
        let mut steps = self.steps.lock().unwrap();
        let step = steps.front().cloned().expect("a script has a step");
        if 1 < steps.len() {
            steps.pop_front();
        }
        step
    }
}

impl Transport for Script {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response, Lost>> {
        Box::pin(async move {
            let step = self.next();
            let lost = |sent, text: &str| Lost {
                sent,
                source: text.into(),
            };
            if let Step::Refuse = step {
                return Err(lost(Sent::No, "connection refused"));
            }
            let text = |name| request.headers()[name].to_str().unwrap().to_owned();
            self.seen.lock().unwrap().push(Seen {
                at: self.began_at.elapsed(),
                key: text(IDEMPOTENCY_KEY),
                attempt: text(ONCELY_ATTEMPT),
                body: request.body().clone(),
            });
            match step {
                Step::Answer(delay, status, headers, body) => {
                    tokio::time::sleep(delay).await;
                    let headers = headers.into_iter().map(|(name, value)| {
                        let value = HeaderValue::from_str(&value).unwrap();
                        (HeaderName::from_static(name), value)
                    });
                    Ok(Response {
                        status: StatusCode::from_u16(status).unwrap(),
                        headers: headers.collect(),
                        body: Bytes::from_static(body.as_bytes()),
                    })
                }
                Step::Reset => Err(lost(Sent::Maybe, "connection reset")),
                Step::Hang => std::future::pending().await,
                Step::Refuse => unreachable!("it was refused above"),
            }
        })
    }
}

fn charge() -> Operation {
    let draft = Operation::post("http://pay.test/charge");
    draft.json(&serde_json::json!({"amount": 4200})).unwrap()
}

fn patient() -> Deadline {
    Deadline::after(Duration::from_mins(10))
}

/// Breakers that never open, where a test is about something else.
fn without_breaker() -> Policy {
    let mut policy = Policy::default();
    policy.breaker.failures_max = u32::MAX;
    policy.breaker.samples_min = u32::MAX;
    policy
}

fn done(outcome: Result<Outcome, Error>) -> Response {
    match outcome {
        Ok(Outcome::Done(response)) => response,
        other => panic!("not done: {other:?}"),
    }
}

fn rejected(outcome: Result<Outcome, Error>) -> Response {
    match outcome {
        Ok(Outcome::Rejected(response)) => response,
        other => panic!("not rejected: {other:?}"),
    }
}

fn unknown(outcome: Result<Outcome, Error>) -> (String, Error) {
    match outcome {
        Ok(Outcome::Unknown { key, cause }) => (key.as_str().to_owned(), cause),
        other => panic!("not unknown: {other:?}"),
    }
}
