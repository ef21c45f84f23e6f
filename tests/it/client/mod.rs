//! The retrying client, over HTTP on loopback. What it costs is counted at the server.

mod app;
mod limits;
mod metrics;
mod requests;
mod server;
mod storms;

use std::time::Duration;

use oncely::client::{Client, Deadline, Error, Operation, Outcome, Policy, Response, provide_tls};

use server::Server;

fn client() -> Client {
    client_with(Policy::default())
}

/// A client that knows no certificates: here is no TLS, and reading them takes a while.
fn client_with(policy: Policy) -> Client {
    provide_tls();
    let http = reqwest::Client::builder().tls_certs_only([]);
    let builder = Client::builder().policy(policy).http(http);
    builder.bearer_auth("demo-token").build().unwrap()
}

/// Breakers that never open, where a test is about something else.
fn without_breaker() -> Policy {
    let mut policy = Policy::default();
    policy.breaker.failures_max = u32::MAX;
    policy.breaker.samples_min = u32::MAX;
    policy
}

fn charge(server: &Server) -> Operation {
    let draft = Operation::post(format!("{}/charge", server.url));
    draft.json(&serde_json::json!({"amount": 4200})).unwrap()
}

fn patient() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}

fn done(outcome: Result<Outcome, Error>) -> Response {
    match outcome {
        Ok(Outcome::Done(response)) => response,
        other => panic!("not done: {other:?}"),
    }
}

fn unknown(outcome: Result<Outcome, Error>) -> Error {
    match outcome {
        Ok(Outcome::Unknown { cause, .. }) => cause,
        other => panic!("not unknown: {other:?}"),
    }
}
