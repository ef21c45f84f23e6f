//! The commands about single records: what an operator does to single records. Nothing is changed blindly: a change names
//! the attempt that was seen, and is written down with who and why.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::list::List;
use super::timeline;
use crate::cli::Settings;
use crate::cli::output::{complain, say};
use crate::cli::runtime::block_on;
use crate::cli::table::Form;
use crate::domain::{Identity, Key, Lease, Operation, Tenant};
use crate::ledger::{Fenced, Finding, Ledger, Release, Resolve};

/// `oncely key`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show one record and its timeline: exit 1 where there is none
    ///
    /// The timeline has when it was claimed and done, its events, what each consumer has made of them,
    /// and what was done by hand. How often its answer was replayed is not written down anywhere.
    Show(Show),
    /// List records, oldest first: those that wait for an operator, unless told otherwise
    List(List),
    /// Say what the other side's books say of a call that was sent and not answered
    Resolve(ResolveArguments),
    /// Take a leased record from its holder, so that the next retry goes on at once
    Release(ReleaseArguments),
}

/// Which record: by its id, or by what the client knows.
#[derive(Debug, Clone, Args)]
pub struct Record {
    /// Whose
    pub tenant: String,
    /// The record's id (`operation_ref` of a problem, a column of `oncely key list`); or, with a key
    /// after it, the operation, such as "POST /payments"
    #[arg(value_name = "ID | OPERATION", required_unless_present = "key")]
    pub id: Option<String>,
    /// The client's key, after the operation
    #[arg(value_name = "KEY", conflicts_with = "key")]
    pub key_of_operation: Option<String>,
    /// Another way to say it: the client's key
    #[arg(long, requires = "operation", conflicts_with = "id")]
    pub key: Option<String>,
    /// With `--key`: method and route, such as "POST /payments"
    #[arg(long, requires = "key")]
    pub operation: Option<String>,
}

/// `oncely key show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Which record
    #[command(flatten)]
    pub record: Record,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
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
                Self::Show(Show { record, output }) => {
                    let Lease { tenant, id, .. } = record.seen(0)?;
                    let within = config.ledger.operation_timeout;
                    timeline::show(&ledger, (&tenant, id), within, output).await
                }
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
        let by_key = |operation: &str, key: &str| -> Result<_> {
            let key = Key::from_header([key.as_bytes()])?;
            let operation = Operation::new(operation)?;
            Ok(Identity::of(&tenant, &operation, &key).id())
        };
        let id = match (&self.id, &self.key_of_operation, &self.key) {
            (Some(operation), Some(key), _) => by_key(operation, key)?,
            (Some(id), None, _) => Uuid::try_parse(id)
                .context(
                    "an id has 32 hexadecimal digits; for a client's key give the operation and the \
                     key: oncely key show demo \"POST /charge\" KEY",
                )?
                .into_bytes(),
            (None, _, key) => by_key(
                self.operation.as_deref().unwrap_or_default(),
                key.as_deref().unwrap_or_default(),
            )?,
        };
        Ok(Lease {
            tenant,
            id,
            attempt,
        })
    }
}
