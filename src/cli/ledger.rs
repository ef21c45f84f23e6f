//! `oncely ledger`: what an operator does to the ledger as a whole.

use std::process::ExitCode;

use anyhow::Result;

use super::output::say;
use super::runtime::block_on;
use super::{LedgerCommand, Settings};
use crate::ledger::Ledger;

impl LedgerCommand {
    /// Raises or shows the epoch.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, url) = settings.load_with_database()?;
        block_on(async move {
            let ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention)?;
            match self {
                Self::NewEpoch => {
                    let number = ledger.new_epoch().await?;
                    say(&format!(
                        "the ledger's epoch is now {number}: every answer in Redis is stale, and \
                         the ledger is asked instead\n"
                    ))?;
                }
                Self::Epoch => {
                    let epoch = ledger.epoch().await?;
                    say(&format!(
                        "epoch {}, timeline {}\n",
                        epoch.number, epoch.timeline
                    ))?;
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
