//! Lists records: those that wait for somebody, or whatever a filter leaves.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::cli::instant::instant;
use crate::cli::output::say;
use crate::cli::table::{Form, json, table, when};
use crate::domain::Tenant;
use crate::ledger::{Filter, Inspected, Ledger};

/// `oncely key list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only this tenant's
    #[arg(long)]
    pub tenant: Option<String>,
    /// Only this operation's, such as "POST /payments"
    #[arg(long)]
    pub operation: Option<String>,
    /// Only those in this state; may come several times [default: unknown]
    #[arg(long = "state", value_enum, value_name = "STATE")]
    pub states: Vec<State>,
    /// Also those that are being worked on, or abandoned: unknown and leased
    #[arg(long)]
    pub unfinished: bool,
    /// Claimed since: an instant such as 2026-11-22T05:00:00Z, or how long ago, such as 2h
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    pub since: Option<OffsetDateTime>,
    /// Claimed before, in the same forms
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    pub until: Option<OffsetDateTime>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: i64,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// The state of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// A call was sent and not answered: it waits for an operator
    Unknown,
    /// A leased operation that is under way, or abandoned
    Leased,
    /// Done, with its answer
    Completed,
}

/// A record as programs read it.
#[derive(Serialize)]
struct Row<'a> {
    tenant: &'a str,
    id: String,
    operation: &'a str,
    state: &'a str,
    attempt: i32,
    phase: Option<&'a str>,
    status: Option<i16>,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    lease_until: Option<OffsetDateTime>,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Leased => "leased",
            Self::Completed => "completed",
        }
    }
}

impl List {
    pub(super) async fn run(self, ledger: &Ledger) -> Result<ExitCode> {
        let mut states: Vec<_> = self.states.iter().map(|it| it.as_str()).collect();
        if self.unfinished {
            states.extend(["unknown", "leased"]);
        }
        if states.is_empty() {
            states.push("unknown");
        }
        let filter = Filter {
            states,
            tenant: self.tenant.map(Tenant::new).transpose()?,
            operation: self.operation,
            since: self.since,
            until: self.until,
        };
        let records = ledger.list(&filter, self.limit).await?;
        say(&match self.output {
            Form::Json => json(&records.iter().map(Row::of).collect::<Vec<_>>())?,
            Form::Table if records.is_empty() => "no such records\n".to_owned(),
            Form::Table => show(&records),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl<'a> Row<'a> {
    fn of(record: &'a Inspected) -> Self {
        Self {
            tenant: &record.tenant,
            id: id_of(record),
            operation: &record.operation,
            state: &record.state,
            attempt: record.attempt,
            phase: record.phase.as_deref(),
            status: record.response_status,
            since: record.created_at,
            lease_until: record.lease_expires_at,
        }
    }
}

fn show(records: &[Inspected]) -> String {
    let rows = records.iter().map(|it| {
        vec![
            it.tenant.clone(),
            id_of(it),
            it.operation.clone(),
            it.state.clone(),
            it.attempt.to_string(),
            when(it.created_at),
        ]
    });
    let header = ["tenant", "id", "operation", "state", "attempt", "since"];
    table(&header, rows)
}

pub(super) fn id_of(record: &Inspected) -> String {
    Uuid::from_bytes(record.id).simple().to_string()
}
