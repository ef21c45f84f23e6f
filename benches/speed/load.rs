//! Sends requests and measures: as fast as answers come (closed loop), or at a rate that does not wait
//! for them (open loop).
//!
//! In the open loop a request's latency counts from the instant at which it *should* have been sent.
//! A server that stalls is then charged for all the requests that had to wait for it, which a driver
//! that waits politely would leave out (coordinated omission).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;

/// The part of a measurement that is not counted: caches and pools fill.
const WARM_UP: f64 = 0.15;

/// The longest latency that is told apart, in microseconds.
const LATENCY_MAX: u64 = 60_000_000;

/// The width of one slot of the time line.
pub(crate) const SLOT: Duration = Duration::from_millis(100);

/// Makes the requests of one connection, each from its number.
pub(crate) type Make = Arc<dyn Fn(usize, u64) -> Vec<u8> + Send + Sync>;

/// How requests are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) n_connections: usize,
    pub(crate) duration: Duration,
    /// Requests a second, of all connections together; `None` for the closed loop.
    pub(crate) rate: Option<f64>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    pub(crate) by_status: BTreeMap<u16, u64>,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
    /// Answers per slot of time, the warm-up included.
    pub(crate) slots: Vec<u64>,
}

impl Sample {
    fn empty() -> Result<Self> {
        Ok(Self {
            seconds: 0.0,
            by_status: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, LATENCY_MAX, 3)?,
            slots: Vec::new(),
        })
    }

    fn add(&mut self, other: &Self) -> Result<()> {
        self.seconds = self.seconds.max(other.seconds);
        self.latency.add(&other.latency)?;
        for (status, n) in &other.by_status {
            *self.by_status.entry(*status).or_default() += n;
        }
        let longer = self.slots.len().max(other.slots.len());
        self.slots.resize(longer, 0);
        for (all, one) in self.slots.iter_mut().zip(&other.slots) {
            *all += one;
        }
        Ok(())
    }

    /// Answers a second with one of `statuses`.
    pub(crate) fn rate_of(&self, statuses: &[u16]) -> f64 {
        let n: u64 = statuses
            .iter()
            .filter_map(|it| self.by_status.get(it))
            .sum();
        number(n) / self.seconds
    }

    /// The share of answers with other statuses.
    pub(crate) fn share_of_others(&self, statuses: &[u16]) -> f64 {
        let all: u64 = self.by_status.values().sum();
        let others = self.by_status.iter().filter(|it| !statuses.contains(it.0));
        let others: u64 = others.map(|it| it.1).sum();
        if all == 0 {
            1.0
        } else {
            number(others) / number(all)
        }
    }

    /// A quantile of the latency, in milliseconds.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        number(self.latency.value_at_quantile(quantile)) / 1000.0
    }
}

/// A count as a number to calculate with; counts here are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// Sends requests to `address` until the time is up.
pub(crate) async fn run(address: SocketAddr, load: Load, make: &Make) -> Result<Sample> {
    let start = Instant::now();
    let mut connections = JoinSet::new();
    for index in 0..load.n_connections {
        let sender = Sender {
            index,
            load,
            start,
            make: Arc::clone(make),
        };
        connections.spawn(async move { sender.run(address).await });
    }
    let mut sample = Sample::empty()?;
    while let Some(ended) = connections.join_next().await {
        sample.add(&ended.context("a connection's task")??)?;
    }
    Ok(sample)
}

/// One connection and its share of the load.
struct Sender {
    index: usize,
    load: Load,
    start: Instant,
    make: Make,
}

impl Sender {
    async fn run(self, address: SocketAddr) -> Result<Sample> {
        let mut connection = Connection::open(address).await?;
        let mut sample = Sample::empty()?;
        let counted_from = self.start + self.load.duration.mul_f64(WARM_UP);
        let end = self.start + self.load.duration;
        for n in 0.. {
            let request = (self.make)(self.index, n);
            let due = self.due(n);
            if end <= due.unwrap_or_else(Instant::now) {
                break;
            }
            if let Some(due) = due {
                sleep_until(due).await;
            }
            let from = due.unwrap_or_else(Instant::now);
            // An answer that breaks off is counted, not hidden.
            let status = match connection.exchange(&request).await {
                Ok(status) => status,
                Err(_broken) => {
                    connection = Connection::open(address).await?;
                    0
                }
            };
            let now = Instant::now();
            let slot = (now - self.start).as_millis() / SLOT.as_millis();
            let slot = usize::try_from(slot)?;
            if sample.slots.len() <= slot {
                sample.slots.resize(slot + 1, 0);
            }
            if let Some(count) = sample.slots.get_mut(slot) {
                *count += 1;
            }
            if counted_from <= from {
                let micros = u64::try_from((now - from).as_micros())?;
                sample.latency.saturating_record(micros.max(1));
                *sample.by_status.entry(status).or_default() += 1;
            }
        }
        sample.seconds = (Instant::now() - counted_from).as_secs_f64();
        Ok(sample)
    }

    /// When request `n` of this connection is due, in the open loop.
    fn due(&self, n: u64) -> Option<Instant> {
        let rate = self.load.rate?;
        let n_connections = number(u64::try_from(self.load.n_connections).ok()?);
        let index = number(u64::try_from(self.index).ok()?);
        let after = (number(n) * n_connections + index) / rate;
        Some(self.start + Duration::from_secs_f64(after))
    }
}
