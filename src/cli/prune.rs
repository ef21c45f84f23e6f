//! `oncely prune`: deletes records past their retention now, batch by batch, no faster than asked.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::time::sleep;

use super::Settings;
use super::output::say;
use super::runtime::block_on;
use super::table::{Form, json};
use crate::ledger::Ledger;

/// `oncely prune`.
#[derive(Debug, Args)]
pub struct PruneCommand {
    /// Count what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How many records one transaction deletes [default: `ledger.prune_batch`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub batch: Option<u32>,
    /// How long to rest between two batches
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = humantime::parse_duration)]
    pub pause: Duration,
    /// Delete at most about so many: whole batches, until so many are gone
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// What was done, as programs read it.
#[derive(Serialize)]
struct Pruned {
    expired: u64,
    deleted: u64,
    batches: u64,
    dry_run: bool,
}

impl PruneCommand {
    /// Deletes what processes with the role api would delete by and by.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (mut config, url) = settings.load_with_database()?;
        if let Some(batch) = self.batch {
            config.ledger.prune_batch = batch;
        }
        block_on(async move {
            let ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention)?;
            let expired = ledger.count_expired().await.context(
                "count what is expired; where that takes longer than `ledger.statement_timeout`, \
                 raise it for this command: --set ledger.statement_timeout=10s",
            )?;
            let (deleted, batches) = if self.dry_run {
                (0, 0)
            } else {
                self.delete(&ledger, expired).await?
            };
            let pruned = Pruned {
                expired,
                deleted,
                batches,
                dry_run: self.dry_run,
            };
            say(&match self.output {
                Form::Json => json(&pruned)?,
                Form::Table => words(&pruned),
            })?;
            Ok(ExitCode::SUCCESS)
        })
    }

    /// What is deleted stays deleted when it ends early, and running it again takes up the rest.
    async fn delete(&self, ledger: &Ledger, expired: u64) -> Result<(u64, u64)> {
        let most = self.limit.unwrap_or(u64::MAX);
        let bar = progress(expired.min(most));
        let (mut n_deleted, mut n_batches) = (0, 0);
        while n_deleted < most {
            let (n, is_full) = ledger.prune().await.with_context(|| {
                format!("{n_deleted} records were deleted; run it again for the rest")
            })?;
            n_deleted += n;
            n_batches += u64::from(0 < n);
            bar.inc(n);
            if !is_full {
                break;
            }
            sleep(self.pause).await;
        }
        bar.finish_and_clear();
        Ok((n_deleted, n_batches))
    }
}

fn words(pruned: &Pruned) -> String {
    let Pruned {
        expired,
        deleted,
        batches,
        dry_run,
    } = pruned;
    if *dry_run {
        return format!("{expired} records would be deleted; nothing was done\n");
    }
    format!("{deleted} records deleted in {batches} transactions\n")
}

/// A bar on a terminal, nothing elsewhere.
fn progress(n: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("pruning {bar:40} {pos}/{len}, {eta} left");
    ProgressBar::new(n).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
