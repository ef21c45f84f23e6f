//! One attempt: sends the request, and writes down what the answer teaches.

use std::time::Duration;

use tokio::time::Instant;

use super::Client;
use super::breaker::{Permit, Sample};
use super::classify::{Class, KeySign, Next, Signs, Trace, classify, trace};
use super::deadline::Deadline;
use super::operation::Operation;
use super::response::Response;
use super::retry_after::retry_after;
use super::site::Site;
use super::transcript::Event;
use super::transport::{Lost, Sent};
use crate::clock;
use crate::telemetry::client as metrics;

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Tried {
    /// There is an answer.
    Answered {
        response: Response,
        hint: Option<Duration>,
        next: Next,
    },
    /// There is none.
    Lost(Lost),
}

/// There was no answer in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no answer in time")]
struct TimedOut;

/// Sends the operation's next attempt and lets breaker, site and operation know what it came to.
///
/// # Cancellation
///
/// An operation whose attempt was dropped counts it, and may be done.
pub(super) async fn attempt(
    client: &Client,
    operation: &mut Operation,
    deadline: Deadline,
    site: &Site,
    permit: Permit<'_>,
) -> Tried {
    operation.n_attempts = operation.n_attempts.saturating_add(1);
    let was_doubtful = std::mem::replace(&mut operation.may_be_done, true);
    let number = operation.n_attempts;
    let patience = client.policy.attempt_timeout.min(deadline.left());
    let began_at = Instant::now();
    let sending = client.transport.send(operation.request(number));
    let sent = tokio::time::timeout(patience, sending).await;
    let took = began_at.elapsed();
    match sent {
        Ok(Ok(response)) => {
            let tried = answered(operation, site, response, was_doubtful);
            let Tried::Answered {
                response,
                hint,
                next,
            } = &tried
            else {
                return tried;
            };
            permit.tell(sample(response, *hint));
            site.learn(took);
            metrics::attempted(&site.label, metrics::Answer::of(response.status));
            let event = Event::Answered {
                attempt: number,
                status: response.status,
                took,
                hint: *hint,
                next: *next,
            };
            operation.transcript.note(&site.label, event);
            tried
        }
        Ok(Err(lost)) => {
            if lost.sent == Sent::Maybe || lost.sent == Sent::No {
                permit.tell(Sample::Failed(None));
            }
            operation.may_be_done = was_doubtful || lost.sent == Sent::Maybe;
            unanswered(operation, site, took, lost)
        }
        Err(_elapsed) => {
            // A caller in a hurry is no proof that the server is ill: only where half of its
            // answers would have been there by now.
            if site.usual_time() <= patience {
                permit.tell(Sample::Failed(None));
            }
            let lost = Lost {
                sent: Sent::Maybe,
                source: Box::new(TimedOut),
            };
            unanswered(operation, site, took, lost)
        }
    }
}

fn answered(
    operation: &mut Operation,
    site: &Site,
    response: Response,
    was_doubtful: bool,
) -> Tried {
    let hint = retry_after(&response.headers, clock::now());
    let signs = Signs::of(&response, hint.is_some());
    let next = classify(response.status, &signs);
    operation.may_be_done = match trace(response.status, &signs) {
        Trace::Settled => false,
        Trace::Silent => was_doubtful,
        Trace::MayBeDone => true,
    };
    if let Some(hint) = hint.filter(|_| is_about_the_site(next, signs.key)) {
        site.remember(hint);
        metrics::hinted(&site.label, hint);
    }
    Tried::Answered {
        response,
        hint,
        next,
    }
}

fn unanswered(operation: &mut Operation, site: &Site, took: Duration, lost: Lost) -> Tried {
    let was_sent = lost.sent == Sent::Maybe;
    let answer = if was_sent {
        metrics::Answer::Lost
    } else {
        metrics::Answer::NotSent
    };
    metrics::attempted(&site.label, answer);
    let event = Event::Failed {
        attempt: operation.n_attempts,
        took,
        was_sent,
        cause: causes(&*lost.source),
    };
    operation.transcript.note(&site.label, event);
    Tried::Lost(lost)
}

/// Whether other calls of the site should heed the answer's `Retry-After`.
fn is_about_the_site(next: Next, key: KeySign) -> bool {
    next == Next::Retry(Class::Throttled) && !key.is_about_the_key()
}

fn sample(response: &Response, hint: Option<Duration>) -> Sample {
    match response.status.as_u16() {
        429 => Sample::Throttled(hint),
        500.. => Sample::Failed(hint),
        _ => Sample::Good,
    }
}

/// An error and its causes, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
