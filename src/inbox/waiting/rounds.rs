//! The loop over messages in waiting: claims what is due, a few at a time, and settles each.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::{Claimed, claim};
use super::work::{Ended, work};
use super::{gap, settle};
use crate::inbox::backoff;
use crate::inbox::desk::Desk;
use crate::inbox::gauges;
use crate::inbox::trouble::{self, Trouble};
use crate::telemetry::messages as metrics;

/// How many messages in waiting are tried at once. They are of different aggregates, because each is
/// due only when its predecessor is done with.
const N_AT_ONCE: i64 = 4;
/// How long to wait where nothing is due and nobody says that something has changed.
const POLL: Duration = Duration::from_millis(500);
/// How often is looked for those that wait for a predecessor too long.
const GAP_INTERVAL: Duration = Duration::from_millis(500);
/// How often is counted how many wait.
const GAUGE_INTERVAL: Duration = Duration::from_secs(5);

/// Works off what is due until it is told to stop. What was claimed is finished first.
pub(in crate::inbox) async fn rounds(desk: &Desk, stop: &CancellationToken) {
    let mut gaps = Every::new(GAP_INTERVAL.min(desk.settings.gap_timeout / 2));
    let mut gauge = Every::new(GAUGE_INTERVAL);
    let mut n_troubles = 0;
    while !stop.is_cancelled() {
        let done = match round(desk, stop, &mut gaps, &mut gauge).await {
            Ok(n) => {
                n_troubles = 0;
                n
            }
            Err(trouble) => {
                n_troubles += 1;
                warn(desk, &trouble);
                pause(desk, n_troubles, stop).await;
                continue;
            }
        };
        if done == 0 {
            tokio::select! {
                () = stop.cancelled() => (),
                () = desk.changed.notified() => (),
                () = tokio::time::sleep(POLL) => (),
            }
        }
    }
}

/// Does what is due now, and says how many that were.
async fn round(
    desk: &Desk,
    stop: &CancellationToken,
    gaps: &mut Every,
    gauge: &mut Every,
) -> Result<usize, Trouble> {
    if gaps.is_due() {
        gap::ask(desk).await?;
    }
    if gauge.is_due() {
        gauges::set(desk).await?;
    }
    desk.points.reach("inbox.waiting.before_claim").await?;
    let claimed = claim(desk, N_AT_ONCE).await?;
    let tries = claimed
        .iter()
        .map(|it| -> BoxFuture<'_, ()> { Box::pin(one(desk, it, stop)) });
    join_all(tries.collect::<Vec<_>>()).await;
    Ok(claimed.len())
}

async fn one(desk: &Desk, claimed: &Claimed, stop: &CancellationToken) {
    if desk.settings.attempts_max < u32::try_from(claimed.attempts).unwrap_or(0) {
        let buried = insist(desk, stop, || Box::pin(settle::killed(desk, claimed))).await;
        given_up(desk, claimed, buried, "killed");
        return;
    }
    match work(desk, claimed).await {
        Ended::Applied => metrics::applied(desk.name(), 1),
        Ended::Absorbed => metrics::absorbed(desk.name(), 1),
        Ended::NotOurs => (),
        Ended::Failed(failure) => {
            let error = failure.to_string();
            tracing::warn!(consumer = desk.name(), message.id = %claimed.message.id,
                trace = claimed.message.trace_id(), attempts = claimed.attempts, error,
                "apply a message");
            metrics::failed(desk.name(), 1);
            let failed = || -> BoxFuture<'_, _> { Box::pin(settle::failed(desk, claimed, &error)) };
            given_up(desk, claimed, insist(desk, stop, failed).await, "failed");
        }
        Ended::Trouble(trouble) => {
            warn(desk, &trouble);
            let wait = backoff::wait(&desk.settings, 1);
            insist(desk, stop, || {
                Box::pin(settle::uncount(desk, claimed, wait))
            })
            .await;
        }
    }
}

fn given_up(desk: &Desk, claimed: &Claimed, is_dead: Option<bool>, reason: &str) {
    if is_dead == Some(true) {
        metrics::given_up(desk.name(), 1);
        tracing::error!(consumer = desk.name(), message.id = %claimed.message.id, reason,
            "gave a message up: see `oncely dlq`");
    }
}

/// Does `work` until it is done; `None` where a stop comes while it can't be.
async fn insist<'a, T>(
    desk: &Desk,
    stop: &CancellationToken,
    work: impl Fn() -> BoxFuture<'a, Result<T, Trouble>>,
) -> Option<T> {
    let mut n_troubles = 0;
    loop {
        match work().await {
            Ok(done) => return Some(done),
            Err(trouble) => {
                n_troubles += 1;
                warn(desk, &trouble);
                pause(desk, n_troubles, stop).await;
                if stop.is_cancelled() {
                    return None;
                }
            }
        }
    }
}

fn warn(desk: &Desk, trouble: &Trouble) {
    let error = trouble::chain(trouble);
    tracing::warn!(consumer = desk.name(), error, "messages in waiting");
}

async fn pause(desk: &Desk, n: u32, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => (),
        () = tokio::time::sleep(backoff::wait(&desk.settings, n.min(5))) => (),
    }
}

/// Says now and then that it is time.
struct Every {
    interval: Duration,
    next: Instant,
}

impl Every {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: Instant::now(),
        }
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.next <= now;
        if is_due {
            self.next = now + self.interval;
        }
        is_due
    }
}
