//! Many calls through the client as it is built: the budget and the breaker are really in it.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use oncely::client::Why;
use tokio::time::Instant;

use super::server::{Server, reply};
use super::{charge, client, client_with, done, patient, unknown, without_breaker};
use crate::harness::run;

#[test]
fn ten_thousand_calls_to_a_dead_server_cost_no_more_than_burst_and_trickle() {
    run(async {
        const N: usize = 10_000;
        let server = Server::statuses(&[500]).await;
        let client = client_with(without_breaker());
        let began_at = Instant::now();
        let calls = stream::iter(0..N).map(|_| async {
            unknown(client.run(&mut charge(&server), patient()).await);
        });
        calls.buffer_unordered(16).collect::<Vec<()>>().await;
        let trickle = usize::try_from(began_at.elapsed().as_secs() / 10).unwrap() + 1;
        let n_seen = server.n_seen();
        assert!(n_seen >= N + 10, "{n_seen}: the burst is there to be used");
        assert!(
            n_seen <= N + 10 + trickle,
            "{n_seen} in {:?}",
            began_at.elapsed()
        );
    });
}

#[test]
fn of_a_hundred_calls_half_open_one_probes() {
    run(async {
        let server = Server::start(|n, _| async move {
            if n < 20 {
                return reply(500, &[], "{}");
            }
            // The others arrive in the meantime.
            tokio::time::sleep(Duration::from_millis(500)).await;
            reply(201, &[], "{}")
        })
        .await;
        let mut policy = without_breaker();
        policy.breaker = oncely::client::breaker::Policy::default();
        policy.attempts_max = 1;
        let client = client_with(policy);
        while server.n_seen() < 20 {
            unknown(client.run(&mut charge(&server), patient()).await);
        }
        let error = client
            .run(&mut charge(&server), patient())
            .await
            .unwrap_err();
        assert_eq!((error.why, server.n_seen()), (Why::Breaker, 20));
        tokio::time::sleep(error.retry_after.unwrap()).await;
        let calls = stream::iter(0..100).map(|_| async {
            let outcome = client.run(&mut charge(&server), patient()).await;
            outcome.map(|it| done(Ok(it))).is_ok()
        });
        let is_done: Vec<bool> = calls.buffer_unordered(100).collect().await;
        assert_eq!(is_done.into_iter().filter(|it| *it).count(), 1);
        assert_eq!(server.n_seen(), 21);
        done(client.run(&mut charge(&server), patient()).await);
    });
}

#[test]
fn clients_that_were_told_to_wait_come_back_apart_and_never_early() {
    run(async {
        let server = Server::start(|_, request| async move {
            match request.header("oncely-attempt") {
                "1" => reply(503, &[("retry-after", "2")], "{}"),
                _ => reply(201, &[], "{}"),
            }
        })
        .await;
        let calls = stream::iter(0..40).map(|_| async {
            // A client for each: they share nothing but the server.
            done(client().run(&mut charge(&server), patient()).await);
        });
        calls.buffer_unordered(40).collect::<Vec<()>>().await;
        let seen = server.seen();
        let mut back = Vec::new();
        for retry in seen.iter().filter(|it| it.header("oncely-attempt") == "2") {
            let key = retry.header("idempotency-key");
            let first = seen.iter().find(|it| it.header("idempotency-key") == key);
            let wait = retry.at.saturating_sub(first.unwrap().at);
            assert!(wait >= Duration::from_secs(2), "{wait:?}");
            back.push(retry.at);
        }
        assert_eq!(back.len(), 40);
        let spread = back
            .iter()
            .max()
            .unwrap()
            .abs_diff(*back.iter().min().unwrap());
        assert!(spread > Duration::from_millis(150), "{spread:?}");
    });
}
