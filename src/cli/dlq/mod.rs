//! `oncely dlq`: what was given up, and what people decide about it.

mod deal;
mod show;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use uuid::Uuid;

use self::deal::{Deed, deal};
use super::Settings;
use super::output::{complain, say};
use super::runtime::block_on;
use super::table::Form;
use crate::inbox::dead_letter::{self, Filter};
use crate::ledger::Ledger;

/// The commands about dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters that nobody has dealt with, the oldest first
    List {
        /// Which
        #[command(flatten)]
        which: Which,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// The form of the output
        #[arg(long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// Show a dead letter whole: payload, headers, errors, and who did what with it
    Show {
        /// The message's id
        id: Uuid,
        /// Only this consumer's
        #[arg(long)]
        consumer: Option<String>,
        /// The form of the output
        #[arg(long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// Let dead letters be tried again, with their attempts counted anew
    Redrive(Bulk),
    /// Give dead letters up for good; what waits for them goes on
    Discard(Bulk),
}

/// A choice of dead letters.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Only this consumer's; `relay` is what no broker would take
    #[arg(long)]
    pub consumer: Option<String>,
    /// Only this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// Only this tenant
    #[arg(long)]
    pub tenant: Option<String>,
    /// Only this reason: failed, killed, quarantined or unpublishable
    #[arg(long)]
    pub reason: Option<String>,
}

/// `oncely dlq redrive` and `oncely dlq discard`.
#[derive(Debug, Args)]
pub struct Bulk {
    /// The messages' ids
    #[arg(value_name = "ID")]
    pub ids: Vec<Uuid>,
    /// Which
    #[command(flatten)]
    pub which: Which,
    /// All of them; needed where neither ids nor a filter are given
    #[arg(long)]
    pub all: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// At most so many a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// Who, for the audit trail [default: the user of this process and its host]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

impl Which {
    fn filter(self, ids: Vec<Uuid>) -> Filter {
        Filter {
            consumer: self.consumer,
            topic: self.topic,
            tenant: self.tenant,
            reason: self.reason,
            ids,
            ..Filter::default()
        }
    }

    fn is_empty(&self) -> bool {
        let parts = [&self.consumer, &self.topic, &self.tenant, &self.reason];
        parts.iter().all(|it| it.is_none())
    }
}

impl DlqCommand {
    /// Looks at dead letters, or deals with them.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, url) = settings.load_with_database()?;
        block_on(async move {
            let ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention)?;
            match self {
                Self::List {
                    which,
                    limit,
                    output,
                } => list(&ledger, &which.filter(Vec::new()), limit, output).await,
                Self::Show {
                    id,
                    consumer,
                    output,
                } => show_one(&ledger, id, consumer.as_deref(), output).await,
                Self::Redrive(bulk) => deal(&ledger, Deed::Redrive, bulk).await,
                Self::Discard(bulk) => deal(&ledger, Deed::Discard, bulk).await,
            }
        })
    }
}

async fn list(ledger: &Ledger, filter: &Filter, limit: u32, output: Form) -> Result<ExitCode> {
    let letters = dead_letter::list(ledger, filter, limit).await?;
    let text = match output {
        Form::Json => show::list_as_json(&letters)?,
        Form::Table if letters.is_empty() => "no dead letters\n".to_owned(),
        Form::Table => {
            let n = dead_letter::count(ledger, filter).await?;
            let shown = letters.len();
            format!(
                "{}{shown} of {n}. `oncely dlq show ID` shows one whole; `oncely dlq redrive` and \
                 `oncely dlq discard` deal with them.\n",
                show::list(&letters)
            )
        }
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn show_one(
    ledger: &Ledger,
    id: Uuid,
    consumer: Option<&str>,
    output: Form,
) -> Result<ExitCode> {
    let letters = dead_letter::show(ledger, id, consumer).await?;
    if letters.is_empty() {
        complain(&format!(
            "error: there is no dead letter {id}; `oncely dlq list` shows those that there are\n"
        ));
        return Ok(ExitCode::FAILURE);
    }
    say(&match output {
        Form::Json => show::whole_as_json(&letters)?,
        Form::Table => letters
            .iter()
            .map(show::whole)
            .collect::<Vec<_>>()
            .join("\n"),
    })?;
    Ok(ExitCode::SUCCESS)
}
