//! Deadline and nesting, on real time.

use std::time::Duration;

use axum::response::Response;
use oncely::client::{Client, Deadline, Operation, Why};
use tokio::time::Instant;

use super::server::{Server, reply};
use super::{charge, client, patient, unknown};
use crate::harness::run;

#[test]
fn a_server_that_hangs_holds_nobody_beyond_the_deadline() {
    run(async {
        let server = Server::start(|_, _| std::future::pending::<Response>()).await;
        let began_at = Instant::now();
        let deadline = Deadline::after(Duration::from_secs(1));
        let cause = unknown(client().run(&mut charge(&server), deadline).await);
        let took = began_at.elapsed();
        assert_eq!((cause.why, server.n_seen()), (Why::Deadline, 1));
        assert!(took >= Duration::from_secs(1), "{took:?}");
        // To the millisecond it is compared on paused time; a busy machine takes its time here.
        assert!(took < Duration::from_secs(2), "{took:?}");
    });
}

#[test]
fn a_wait_beyond_the_deadline_ends_the_call_at_once() {
    run(async {
        let server =
            Server::start(|_, _| async { reply(429, &[("retry-after", "3600")], "") }).await;
        let client = client();
        let began_at = Instant::now();
        for _ in 0..10 {
            let error = client
                .run(&mut charge(&server), patient())
                .await
                .unwrap_err();
            assert_eq!(error.why, Why::Deadline);
            assert!(error.retry_after.unwrap() > Duration::from_secs(3500));
        }
        assert!(began_at.elapsed() < Duration::from_mins(1));
        assert_eq!(server.n_seen(), 1, "the later calls heed it unasked");
    });
}

/// A service that calls another one while it serves, with the same library.
async fn middle(client: Client, url: String, request: super::server::Seen) -> Response {
    let draft = Operation::post(url).nested_in(&request.headers);
    let mut operation = draft.empty().unwrap();
    match client.run(&mut operation, patient()).await {
        Ok(_) => reply(500, &[], "{}"),
        Err(_) => reply(503, &[], "{}"),
    }
}

#[test]
fn three_attempts_of_three_are_three() {
    run(async {
        let last = Server::statuses(&[500]).await;
        let (inner, url) = (client(), format!("{}/inner", last.url));
        let service = move |_, request| middle(inner.clone(), url.clone(), request);
        let first = Server::start(service).await;
        unknown(client().run(&mut charge(&first), patient()).await);
        assert_eq!((first.n_seen(), last.n_seen()), (3, 3));
    });
}
