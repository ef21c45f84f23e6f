//! `oncely key`: what an operator does to single records. Nothing is changed blindly: a change names
//! the attempt that was seen, and is written down with who and why.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::Settings;
use super::output::{complain, say};
use super::runtime::block_on;
use crate::domain::{Identity, Key, Lease, Operation, Tenant};
use crate::ledger::{Audit, Fenced, Filter, Finding, Inspected, Ledger, Release, Resolve};

/// `oncely key`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show one record, and what was done to it by hand: exit 1 where there is none
    Show(Record),
    /// List records that wait for an operator, oldest first
    List(List),
    /// Say what the other side's books say of a call that was sent and not answered
    Resolve(ResolveArguments),
    /// Take a leased record from its holder, so that the next retry goes on at once
    Release(ReleaseArguments),
}

/// Which record.
#[derive(Debug, Clone, Args)]
pub struct Record {
    /// Whose
    pub tenant: String,
    /// The record's id: `operation_ref` of the problem, or a column of `oncely key list`
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    pub id: Option<String>,
    /// Instead of the id: the client's key
    #[arg(long, requires = "operation")]
    pub key: Option<String>,
    /// With `--key`: method and route, such as "POST /payments"
    #[arg(long, requires = "key")]
    pub operation: Option<String>,
}

/// `oncely key list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only this tenant's
    #[arg(long)]
    pub tenant: Option<String>,
    /// Also those that are being worked on, or abandoned
    #[arg(long)]
    pub unfinished: bool,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: i64,
}

/// Who changes something, and on what grounds.
#[derive(Debug, Clone, Args)]
pub struct Grounds {
    /// The attempt that `oncely key show` showed: where it is another by now, nothing is changed
    #[arg(long)]
    pub attempt: i32,
    /// Who you are
    #[arg(long)]
    pub who: String,
    /// On what grounds
    #[arg(long)]
    pub why: String,
}

/// `oncely key resolve`.
#[derive(Debug, Args)]
pub struct ResolveArguments {
    /// Which record
    #[command(flatten)]
    pub record: Record,
    /// It was done: what the phase would have recorded, as JSON. For a payment:
    /// '{"succeeded": {"reference": "<the processor's id>"}}' or '{"declined": {"reason": "…"}}'
    #[arg(
        long,
        value_name = "JSON",
        required_unless_present = "did_not_happen",
        conflicts_with = "did_not_happen"
    )]
    pub happened: Option<String>,
    /// It was not done, and never will be: the next attempt sends it
    #[arg(long)]
    pub did_not_happen: bool,
    /// Who and why
    #[command(flatten)]
    pub grounds: Grounds,
}

/// `oncely key release`.
#[derive(Debug, Args)]
pub struct ReleaseArguments {
    /// Which record
    #[command(flatten)]
    pub record: Record,
    /// Who and why
    #[command(flatten)]
    pub grounds: Grounds,
}

impl KeyCommand {
    /// Shows, lists or changes records.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, url) = settings.load_with_database()?;
        block_on(async move {
            let ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention)?;
            match self {
                Self::Show(record) => show(&ledger, &record).await,
                Self::List(list) => list.run(&ledger).await,
                Self::Resolve(arguments) => arguments.run(&ledger).await,
                Self::Release(arguments) => {
                    let Grounds { attempt, who, why } = arguments.grounds;
                    let seen = arguments.record.seen(attempt)?;
                    let release = Release { seen, who, why };
                    let changed = ledger.release_by_hand(&release).await?;
                    changed_or_not(changed, "the record is free: the next retry takes it up\n")
                }
            }
        })
    }
}

impl ResolveArguments {
    async fn run(self, ledger: &Ledger) -> Result<ExitCode> {
        let finding = match self.happened {
            Some(json) => {
                let found: serde_json::Value =
                    serde_json::from_str(&json).context("--happened is no JSON")?;
                ensure!(!found.is_null(), "--happened must say what was done");
                Finding::Happened(found)
            }
            None => Finding::DidNotHappen,
        };
        let Grounds { attempt, who, why } = self.grounds;
        let resolve = Resolve {
            seen: self.record.seen(attempt)?,
            finding,
            who,
            why,
        };
        let changed = ledger.resolve(&resolve).await?;
        let done = "resolved: the next retry, or the rescuer, brings it to its end\n";
        changed_or_not(changed, done)
    }
}

impl List {
    async fn run(self, ledger: &Ledger) -> Result<ExitCode> {
        let filter = if self.unfinished {
            Filter::Unfinished
        } else {
            Filter::Unknown
        };
        let tenant = self.tenant.map(Tenant::new).transpose()?;
        let records = ledger.list(filter, tenant.as_ref(), self.limit).await?;
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["tenant", "id", "operation", "state", "attempt", "since"]);
        for it in &records {
            let (id, attempt) = (id_of(it), it.attempt.to_string());
            let since = moment(it.created_at);
            table.add_row([&it.tenant, &id, &it.operation, &it.state, &attempt, &since]);
        }
        say(&format!("{table}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn show(ledger: &Ledger, record: &Record) -> Result<ExitCode> {
    let Lease { tenant, id, .. } = record.seen(0)?;
    let Some((found, audit)) = ledger.inspect(&tenant, id).await? else {
        complain("there is no such record\n");
        return Ok(ExitCode::FAILURE);
    };
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let optional = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
    for (name, value) in [
        ("tenant", found.tenant.clone()),
        ("id", id_of(&found)),
        ("operation", found.operation.clone()),
        ("state", found.state.clone()),
        ("attempt", found.attempt.to_string()),
        ("phase", optional(found.phase.clone())),
        (
            "downstream key",
            optional(found.downstream_key.map(|it| it.to_string())),
        ),
        ("since", moment(found.created_at)),
        ("lease until", optional(found.lease_expires_at.map(moment))),
        (
            "answer",
            optional(found.response_status.map(|it| it.to_string())),
        ),
    ] {
        table.add_row([name, &value]);
    }
    say(&format!("{table}\n"))?;
    for it in audit {
        say(&by_hand(&it))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn by_hand(audit: &Audit) -> String {
    let Audit {
        action,
        attempt,
        who,
        why,
        done_at,
    } = audit;
    let at = moment(*done_at);
    format!("{at} {action} by {who} (attempt {attempt}): {why}\n")
}

fn changed_or_not(changed: Fenced, done: &str) -> Result<ExitCode> {
    match changed {
        Fenced::Done(()) => {
            say(done)?;
            Ok(ExitCode::SUCCESS)
        }
        Fenced::Lost => {
            complain(
                "nothing was changed: the record is not in that state, or has another attempt by \
                 now; look again with `oncely key show`\n",
            );
            Ok(ExitCode::FAILURE)
        }
    }
}

impl Record {
    /// The record at the attempt that was seen.
    fn seen(&self, attempt: i32) -> Result<Lease> {
        let tenant = Tenant::new(self.tenant.as_str())?;
        let id = match (&self.id, &self.key, &self.operation) {
            (Some(id), ..) => Uuid::try_parse(id)
                .context("an id has 32 hexadecimal digits")?
                .into_bytes(),
            (None, key, operation) => {
                let key = key.as_deref().unwrap_or_default();
                let key = Key::from_header([key.as_bytes()])?;
                let operation = Operation::new(operation.clone().unwrap_or_default())?;
                Identity::of(&tenant, &operation, &key).id()
            }
        };
        Ok(Lease {
            tenant,
            id,
            attempt,
        })
    }
}

fn id_of(record: &Inspected) -> String {
    Uuid::from_bytes(record.id).simple().to_string()
}

fn moment(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
