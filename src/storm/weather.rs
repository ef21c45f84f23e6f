//! The weather: carries the planned faults out on servers and processes, one after the other.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::sync::watch;
use tokio::time::sleep;

use super::field::{Field, Part, Victim};
use super::metrics::Counters;
use super::plan::{Blow, Deed};
use super::run::Progress;
use super::timeline::Timeline;
use crate::proxy::Proxy;

/// Whoever brings faults.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) field: Field,
    pub(super) gate: Arc<Proxy>,
    /// Where the gate leads, and where it leads while that is down.
    pub(super) api_urls: [String; 2],
    pub(super) counters: Arc<Counters>,
    pub(super) timeline: Timeline,
    pub(super) progress: watch::Sender<Progress>,
}

impl Weather {
    /// Carries the plan out. When it returns, everything that is ours is up again.
    pub(super) async fn blow(&self, blows: &[Blow]) -> Result<()> {
        for blow in blows {
            self.timeline.until(blow.at).await;
            self.progress
                .send_modify(|it| blow.fault.name().clone_into(&mut it.now));
            let from = self.timeline.elapsed();
            let happened = self.strike(blow).await;
            if happened.with_context(|| blow.fault.name())? {
                self.timeline.mark(blow.fault, from);
            }
        }
        Ok(())
    }

    /// One fault from its beginning to its end; false where it could not happen.
    async fn strike(&self, blow: &Blow) -> Result<bool> {
        match blow.fault.deed() {
            Deed::Kill => self.kill(blow).await,
            Deed::Pause => {
                let victim = self.victim(blow)?;
                if !victim.pause().await? {
                    return Ok(false);
                }
                sleep(blow.lasts).await;
                victim.resume().await.map(|()| true)
            }
            Deed::Flush => self.flush().await,
            Deed::Silence => {
                self.gate.blackhole().await;
                sleep(blow.lasts).await;
                self.gate.pass().await;
                Ok(true)
            }
            Deed::LoseRequest | Deed::LoseResponse | Deed::Reset => {
                bail!("the network has a lane of its own")
            }
        }
    }

    async fn kill(&self, blow: &Blow) -> Result<bool> {
        let victim = self.victim(blow)?;
        // What it has counted dies with it.
        self.counters.scrape().await;
        if !victim.kill().await? {
            return Ok(false);
        }
        if let Some(url) = victim.url() {
            self.counters.restarted(&url);
        }
        let [usual, other] = &self.api_urls;
        let is_api = blow.fault.part() == Some(Part::Api);
        if is_api {
            self.gate.lead_to(other).await?;
        }
        sleep(blow.lasts).await;
        victim.restart().await?;
        if is_api {
            self.gate.lead_to(usual).await?;
        }
        Ok(true)
    }

    async fn flush(&self) -> Result<bool> {
        let Some(url) = &self.field.flush else {
            return Ok(false);
        };
        let client = redis::Client::open(url.as_str()).context("read the URL of Redis")?;
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .context("connect to Redis")?;
        redis::cmd("FLUSHALL")
            .exec_async(&mut connection)
            .await
            .context("flush Redis")?;
        Ok(true)
    }

    fn victim(&self, blow: &Blow) -> Result<&Victim> {
        let part = blow.fault.part().context("a fault of no server")?;
        self.field.victim(part).context("there is no such server")
    }
}
