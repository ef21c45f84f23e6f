//! `oncely outbox`: where events are on their way to the broker and to their consumers.

use std::io::IsTerminal as _;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::Settings;
use super::output::{complain, say};
use super::runtime::{block_on, stop_signal};
use super::table::{Form, age, json, pairs, table, when};
use crate::clock;
use crate::ledger::Ledger;
use crate::outbox::inspect::{self, Entry, Filter, Status, Whole};

/// Looking more often would be a load of its own.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// The commands about the outbox.
#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// Show the backlog, who relays, and what consumers have set aside
    Status {
        /// Look again and again, until Ctrl-C; as JSON, one line for each look
        #[arg(long)]
        watch: bool,
        /// With `--watch`: how long between two looks
        #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = every, requires = "watch")]
        every: Duration,
        /// The form of the output
        #[arg(long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// List events, the newest first
    List(ListArguments),
    /// Show one event whole: payload, headers, and what each consumer has done with it
    Show {
        /// The event's id
        id: Uuid,
        /// The form of the output
        #[arg(long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
}

/// `oncely outbox list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only what no broker has yet
    #[arg(long)]
    pub pending: bool,
    /// Only this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// Only this tenant
    #[arg(long)]
    pub tenant: Option<String>,
    /// Only the aggregate with this id, such as a charge's
    #[arg(long, value_name = "ID")]
    pub aggregate: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u32,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

impl OutboxCommand {
    /// Looks, and prints what is there.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, url) = settings.load_with_database()?;
        block_on(async move {
            let ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention)?;
            match self {
                Self::Status {
                    watch: true,
                    every,
                    output,
                } => watch(&ledger, every, output).await?,
                Self::Status { output, .. } => {
                    let status = inspect::status(&ledger).await?;
                    say(&match output {
                        Form::Table => show_status(&status),
                        Form::Json => json(&status)?,
                    })?;
                }
                Self::List(arguments) => list(&ledger, arguments).await?,
                Self::Show { id, output } => {
                    let Some(whole) = inspect::show(&ledger, id).await? else {
                        complain(&format!(
                            "error: there is no event {id}; it may be older than \
                             `outbox.retention`. `oncely outbox list` shows what there is\n"
                        ));
                        return Ok(ExitCode::FAILURE);
                    };
                    say(&match output {
                        Form::Table => show_whole(&whole),
                        Form::Json => json(&whole)?,
                    })?;
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Looks until somebody has seen enough. A database that is away for a moment is said and asked again.
async fn watch(ledger: &Ledger, every: Duration, form: Form) -> Result<()> {
    let mut stop = pin!(stop_signal()?);
    let clear = std::io::stdout().is_terminal();
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            _ = ticks.tick() => (),
        }
        let looked = tokio::select! {
            () = &mut stop => return Ok(()),
            looked = inspect::status(ledger) => looked,
        };
        match (looked, form) {
            (Ok(status), Form::Json) => say(&(serde_json::to_string(&status)? + "\n"))?,
            (Ok(status), Form::Table) => {
                // Up and to the left, and nothing below: only a terminal knows what that is.
                let above = if clear { "\u{1b}[H\u{1b}[J" } else { "" };
                let at = when(clock::now());
                say(&format!("{above}{at}\n{}\n", show_status(&status)))?;
            }
            (Err(error), _) => complain(&format!("error: {:#}\n", anyhow::Error::from(error))),
        }
    }
}

fn every(text: &str) -> Result<Duration, String> {
    let wrong = || "is no duration of 100ms or more, such as 2s".to_owned();
    let every = humantime::parse_duration(text).map_err(|_no_duration| wrong())?;
    if every < EVERY_MIN {
        return Err(wrong());
    }
    Ok(every)
}

async fn list(ledger: &Ledger, arguments: ListArguments) -> Result<()> {
    let filter = Filter {
        topic: arguments.topic,
        tenant: arguments.tenant,
        aggregate: arguments.aggregate,
        is_pending: arguments.pending,
        ..Filter::default()
    };
    let entries = inspect::list(ledger, &filter, arguments.limit).await?;
    say(&match arguments.output {
        Form::Json => json(&entries)?,
        Form::Table if entries.is_empty() => "no such events\n".to_owned(),
        Form::Table => show_entries(&entries),
    })
    .context("print the events")
}

fn show_status(status: &Status) -> String {
    let lag = status.lag_seconds.map_or_else(|| "none".to_owned(), age);
    let mut text = pairs(&[
        ("pending", status.pending.to_string()),
        ("of them refused by the broker", status.refused.to_string()),
        ("age of the oldest", lag),
        ("all confirmed before", when(status.confirmed_before)),
    ]);
    let mut owners: Vec<(String, Vec<String>, f64)> = Vec::new();
    for shard in &status.shards {
        let owner = match (&shard.owner_name, shard.lease_seconds) {
            (Some(name), Some(_)) => name.clone(),
            _ => "nobody".to_owned(),
        };
        let left = shard.lease_seconds.unwrap_or(0.0);
        let number = shard.shard.to_string();
        match owners.iter_mut().find(|(name, ..)| *name == owner) {
            Some((_, shards, least)) => {
                shards.push(number);
                *least = least.min(left);
            }
            None => owners.push((owner, vec![number], left)),
        }
    }
    let is_idle = owners.iter().all(|(name, ..)| name == "nobody");
    let rows = owners.into_iter().map(|(owner, shards, left)| {
        let left = if 0.0 < left { age(left) } else { String::new() };
        vec![owner, shards.join(" "), left]
    });
    text.push('\n');
    text.push_str(&table(&["relay", "shards", "leased for"], rows));
    let rows = status.consumers.iter().map(|it| {
        vec![
            it.consumer.clone(),
            it.topic.clone(),
            it.waiting.to_string(),
            it.dead.to_string(),
        ]
    });
    text.push('\n');
    text.push_str(&table(
        &["consumer", "topic", "set aside", "dead letters"],
        rows,
    ));
    if is_idle {
        text.push_str(
            "\nNobody relays: start `oncely relay`, or `oncely serve` with the role relay.\n",
        );
    }
    if status.consumers.iter().any(|it| 0 < it.dead) {
        text.push_str("\nThere are dead letters: `oncely dlq list` shows them.\n");
    }
    text
}

fn show_entries(entries: &[Entry]) -> String {
    let rows = entries.iter().map(|it| {
        vec![
            it.id.to_string(),
            when(it.created_at),
            it.tenant.clone(),
            it.topic.clone(),
            format!("{} {}", it.kind, it.aggregate),
            it.seq.to_string(),
            it.state().to_owned(),
            format!("{}/{}", it.had, it.owed),
        ]
    });
    table(
        &[
            "id",
            "enqueued",
            "tenant",
            "topic",
            "about",
            "seq",
            "state",
            "consumers",
        ],
        rows,
    )
}

fn show_whole(whole: &Whole) -> String {
    let entry = &whole.entry;
    let previous = whole
        .previous
        .map_or_else(|| "none".to_owned(), |it| it.to_string());
    let mut text = pairs(&[
        ("id", entry.id.to_string()),
        ("enqueued", when(entry.created_at)),
        ("tenant", entry.tenant.clone()),
        ("topic", entry.topic.clone()),
        ("about", format!("{} {}", entry.kind, entry.aggregate)),
        ("seq", entry.seq.to_string()),
        ("previous", previous),
        ("state", entry.state().to_owned()),
        ("refused by the broker", entry.attempts.to_string()),
        (
            "why",
            entry.last_error.clone().unwrap_or_else(|| "-".to_owned()),
        ),
        ("headers", whole.headers.to_string()),
        ("payload", whole.payload.clone()),
    ]);
    let rows = whole.deliveries.iter().map(|it| {
        vec![
            it.consumer.clone(),
            it.state.clone(),
            it.at.map(when).unwrap_or_default(),
            it.attempts.map(|n| n.to_string()).unwrap_or_default(),
            it.last_error.clone().unwrap_or_default(),
        ]
    });
    text.push('\n');
    text.push_str(&table(
        &["consumer", "state", "at", "attempts", "last error"],
        rows,
    ));
    text
}
