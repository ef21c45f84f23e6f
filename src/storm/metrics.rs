//! The service's own counters, scraped from each process, and added up over its restarts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A process that is killed or paused answers nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often all processes are scraped.
const EVERY: Duration = Duration::from_millis(500);

/// What all counters came to.
#[derive(Debug)]
pub(super) struct Counters {
    http: reqwest::Client,
    urls: Vec<String>,
    /// By process and series.
    series: Mutex<HashMap<(usize, String), Series>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Series {
    total: f64,
    /// What the process said last; a smaller number means that it has begun anew.
    last: f64,
}

impl Counters {
    /// For the processes whose admin ports are at `urls`.
    pub(super) fn of(urls: Vec<String>) -> Result<Self> {
        let http = reqwest::Client::builder().tls_certs_only([]);
        Ok(Self {
            http: http.timeout(PATIENCE).build().context("make a client")?,
            urls,
            series: Mutex::default(),
        })
    }

    /// Scrapes for ever.
    pub(super) async fn watch(&self) {
        loop {
            self.scrape().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Asks each process once. Who does not answer keeps what he has said.
    pub(super) async fn scrape(&self) {
        let all = self
            .urls
            .iter()
            .enumerate()
            .map(|(process, url)| async move {
                let asked = self.http.get(format!("{url}/metrics")).send().await;
                let Ok(answer) = asked else { return };
                if let Ok(text) = answer.text().await {
                    self.take(process, &text);
                }
            });
        futures_util::future::join_all(all).await;
    }

    /// The process at `url` begins anew: what it says next is all new.
    pub(super) fn restarted(&self, url: &str) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        for ((process, _), one) in series.iter_mut() {
            if self.urls.get(*process).is_some_and(|it| it == url) {
                one.last = 0.0;
            }
        }
    }

    /// The sum of a counter over all processes, of the series with all of these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |text: &str| {
            let rest = text.strip_prefix(name).unwrap_or("-");
            let is_named = rest.is_empty() || rest.starts_with('{');
            let has =
                |(label, value): &(&str, &str)| rest.contains(&format!("{label}=\"{value}\""));
            is_named && labels.iter().all(has)
        };
        let found = series.iter().filter(|((_, text), _)| fits(text));
        let sum: f64 = found.map(|(_, it)| it.total).sum();
        whole(sum)
    }

    fn take(&self, process: usize, text: &str) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in counters(text) {
            let one = series.entry((process, name.to_owned())).or_default();
            let grown = if value < one.last {
                value
            } else {
                value - one.last
            };
            one.total += grown;
            one.last = value;
        }
    }
}

/// The counters of a page in Prometheus' text format, each with its labels.
fn counters(text: &str) -> impl Iterator<Item = (&str, f64)> {
    let lines = text.lines().filter(|it| !it.starts_with('#'));
    lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        let base = name.split('{').next().unwrap_or_default();
        base.ends_with("_total").then_some(())?;
        Some((name, value.parse().ok()?))
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole, never negative, and far below 2^53"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up_over_processes_and_restarts() {
        crate::client::provide_tls();
        let counters = Counters {
            http: reqwest::Client::builder()
                .tls_certs_only([])
                .build()
                .unwrap(),
            urls: Vec::new(),
            series: Mutex::default(),
        };
        let page = |a: u32, b: u32| {
            format!(
                "# HELP x_total x\nx_total{{k=\"a\",l=\"1\"}} {a}\nx_total{{k=\"b\"}} {b}\nx 7\n\
                 x_total_more 5\n"
            )
        };
        counters.take(0, &page(3, 10));
        counters.take(0, &page(5, 10));
        counters.take(1, &page(100, 0));
        counters.take(0, &page(2, 1));
        assert_eq!(counters.sum("x_total", &[]), 5 + 2 + 100 + 10 + 1);
        assert_eq!(counters.sum("x_total", &[("k", "a")]), 107);
        assert_eq!(counters.sum("x_total", &[("k", "a"), ("l", "2")]), 0);
        assert_eq!(counters.sum("x", &[]), 0, "a gauge is no counter");
    }
}
