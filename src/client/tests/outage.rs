//! A server that is sick for half a minute, and a fleet that calls it: `docs/client.md` shows it.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SICK: std::ops::Range<u64> = 10..40;
const N_SECONDS: usize = 50;

/// Counts what it receives in each second, and fails in some of them.
#[derive(Debug)]
struct Sick {
    began_at: Instant,
    received: [AtomicU64; N_SECONDS + 10],
    served: [AtomicU64; N_SECONDS + 10],
}

impl Sick {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            began_at: Instant::now(),
            received: std::array::from_fn(|_| AtomicU64::new(0)),
            served: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }
}

impl Transport for Sick {
    fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response, Lost>> {
        Box::pin(async move {
            let second = self.began_at.elapsed().as_secs();
            let idx = usize::try_from(second).unwrap();
            self.received[idx].fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            let status = if SICK.contains(&second) {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                self.served[idx].fetch_add(1, Ordering::Relaxed);
                StatusCode::CREATED
            };
            Ok(Response {
                status,
                headers: http::HeaderMap::new(),
                body: Bytes::new(),
            })
        })
    }
}

/// `n_clients` that each begin `per_second` operations a second: what the server receives and
/// what it serves, second by second.
async fn fleet(n_clients: u32, per_second: u32) -> Vec<(u64, u64)> {
    let server = Sick::new();
    let period = SECOND / per_second;
    let clients = (0..n_clients).map(|number| {
        let transport = Arc::clone(&server) as Arc<dyn Transport>;
        let client = Client::over(transport, Policy::default());
        let offset = period * number / n_clients;
        async move {
            let mut ticks = tokio::time::interval_at(Instant::now() + offset, period);
            let mut calls = JoinSet::new();
            for _ in 0..per_second * u32::try_from(N_SECONDS).unwrap() {
                ticks.tick().await;
                let client = client.clone();
                calls.spawn(async move {
                    let deadline = Deadline::after(5 * SECOND);
                    client.run(&mut charge(), deadline).await.ok();
                });
            }
            calls.join_all().await;
        }
    });
    join_all(clients).await;
    let columns = server.received.iter().zip(&server.served);
    columns
        .map(|(received, served)| {
            (
                received.load(Ordering::Relaxed),
                served.load(Ordering::Relaxed),
            )
        })
        .collect()
}

/// How many requests a second are usual here.
const USUAL: u64 = 1000;

fn received(seconds: &[(u64, u64)]) -> u64 {
    seconds.iter().map(|(received, _)| received).sum()
}

/// Too slow to know a share of successes: first tries go on, and with them a tenth of retries. What
/// there is above that is each client's burst, until its breaker has seen five failures.
#[tokio::test(start_paused = true)]
async fn a_thousand_slow_clients_hardly_amplify_an_outage_and_are_back_at_once() {
    let seconds = fleet(1000, 1).await;
    let (burst, steady, after) = (&seconds[10..20], &seconds[20..40], &seconds[41..50]);
    assert!(received(burst) < USUAL * 10 * 8 / 5, "{burst:?}");
    assert!(burst.iter().all(|it| it.0 < 3 * USUAL), "{burst:?}");
    assert!(steady.iter().all(|it| it.0 < USUAL * 6 / 5), "{steady:?}");
    assert_eq!(after, [(USUAL, USUAL); 9]);
}

/// Quick enough to see that nothing succeeds: first tries are refused as well, save for a probe.
#[tokio::test(start_paused = true)]
async fn a_hundred_busy_clients_spare_a_sick_server_and_are_back_within_seconds() {
    let seconds = fleet(100, 10).await;
    let (burst, steady, after) = (&seconds[10..20], &seconds[22..40], &seconds[46..50]);
    assert!(burst.iter().all(|it| it.0 < USUAL * 6 / 5), "{burst:?}");
    assert!(steady.iter().all(|it| it.0 < USUAL / 10), "{steady:?}");
    assert_eq!(after, [(USUAL, USUAL); 4]);
}
