//! The loop: what is due is read, and a database that does not answer is asked again.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::effects::{self, Effect};
use super::{backlog, open, tables};
use crate::config;
use crate::ledger::{self, Ledger};
use crate::shutdown::Tasks;
use crate::telemetry::chores::{self, Chore};

/// How often the gauges are set. Prometheus rarely asks more often than every five seconds.
const GAUGES: Duration = Duration::from_secs(2);
/// How often tables are measured, which looks at each of their files.
const TABLES: Duration = Duration::from_secs(15);
/// How often effects are compared with operations.
const EFFECTS: Duration = Duration::from_secs(10);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read, and of which ledger.
#[derive(Debug)]
pub struct Audit {
    ledger: Ledger,
    kept: tables::Kept,
    effects: Vec<Effect>,
}

impl Audit {
    /// An audit on one connection of its own. `effects` are compared with operations by processes that
    /// relay events; others give none.
    pub fn new(ledger: &Ledger, config: &config::Config, effects: Vec<Effect>) -> Self {
        Self {
            ledger: ledger.apart(1),
            kept: tables::Kept::of(config),
            effects,
        }
    }

    /// Reads for ever, until `tasks` are drained.
    pub fn start(self, tasks: &Tasks) {
        chores::done(Chore::Gauges);
        if !self.effects.is_empty() {
            chores::done(Chore::Audit);
        }
        tasks.spawn_loop(async move {
            let mut ticks = tokio::time::interval(GAUGES);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let (mut tables, mut effects) = (Instant::now(), Instant::now());
            loop {
                let now = ticks.tick().await;
                self.look(&mut tables, &mut effects, now).await;
            }
        });
    }

    async fn look(&self, tables_due: &mut Instant, effects_due: &mut Instant, now: Instant) {
        let measured = async {
            backlog::measure(&self.ledger).await?;
            open::measure(&self.ledger).await
        };
        if in_time(measured, "what waits").await {
            chores::done(Chore::Gauges);
        }
        if *tables_due <= now {
            in_time(tables::measure(&self.ledger, &self.kept), "the tables").await;
            *tables_due = now + TABLES;
        }
        if *effects_due <= now && !self.effects.is_empty() {
            let audited = effects::audit(&self.ledger, &self.effects);
            if in_time(audited, "the effects").await {
                chores::done(Chore::Audit);
            }
            *effects_due = now + EFFECTS;
        }
    }
}

/// Whether `work` came to its end.
async fn in_time(
    work: impl Future<Output = Result<(), ledger::Error>>,
    what: &'static str,
) -> bool {
    match timeout(PATIENCE, work).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, what, "the books can't be read");
            false
        }
        Err(_elapsed) => {
            tracing::warn!(what, "the books can't be read in time");
            false
        }
    }
}
