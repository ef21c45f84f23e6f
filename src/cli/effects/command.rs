//! The command: reads the books at one moment, compares them, and says what differs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::{compare, show};
use crate::cli::Settings;
use crate::cli::instant::instant;
use crate::cli::output::say;
use crate::cli::runtime::block_on;
use crate::cli::table::{Form, json};
use crate::clock;

/// What is younger than this may still be on its way.
const SETTLED: Duration = Duration::from_mins(1);

/// How far back is looked where nobody says: records are kept for longer than this by default.
const WINDOW: Duration = Duration::from_hours(24);

/// `oncely effects`.
#[derive(Debug, Subcommand)]
pub enum EffectsCommand {
    /// Compare operations, events and effects: exit 1 where they differ, with the ids
    ///
    /// Of each charge of the time range there must be one record, one event, for each consumer one
    /// entry in its inbox, one debit and one credit of its amount in the journal, and one receipt.
    /// All is read in one snapshot. An event that is on its way (pending, waiting, or not yet
    /// consumed) is counted and is no difference; a dead letter is one.
    Verify(Verify),
}

/// `oncely effects verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// From: an instant such as 2026-11-22T05:00:00Z, or how long ago [default: 24h, or the retention]
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    pub since: Option<OffsetDateTime>,
    /// To, in the same forms [default: 1m]
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    pub until: Option<OffsetDateTime>,
    /// At most so many ids of each kind of difference
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// How long the comparison may take
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

impl EffectsCommand {
    /// 0 where all agree, 1 where something differs.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, url) = settings.load_with_database()?;
        let Self::Verify(arguments) = self;
        let now = clock::now();
        let kept = [
            config.idempotency.retention,
            config.outbox.retention,
            config.inbox.retention,
        ];
        let kept = kept.into_iter().min().unwrap_or(WINDOW);
        let since = arguments.since.unwrap_or(now - WINDOW.min(kept));
        let until = arguments.until.unwrap_or(now - SETTLED);
        ensure!(
            since < until,
            "--since must be before --until; what is younger than a minute may still be on its way"
        );
        ensure!(
            now - kept - SETTLED <= since,
            "--since is more than {} ago: records or events of that time may be deleted already \
             (`idempotency.retention`, `outbox.retention`, `inbox.retention`)",
            humantime::format_duration(kept)
        );
        let range = compare::Range {
            since,
            until,
            // An event is enqueued, and a consumer's row written, after the operation has begun.
            slack: config.ledger.operation_timeout,
        };
        block_on(async move {
            let comparing = compare::compare(&url, &range, arguments.limit, arguments.timeout);
            let verified = timeout(arguments.timeout, Box::pin(comparing))
                .await
                .context(
                    "the comparison took too long: narrow --since and --until, or raise --timeout",
                )?
                .context(
                    "compare the books; is the schema current? `oncely migrate status` says",
                )?;
            say(&match arguments.output {
                Form::Json => json(&verified)?,
                Form::Table => show::text(&verified),
            })?;
            Ok(if verified.agrees() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        })
    }
}
