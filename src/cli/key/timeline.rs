//! One record from its claim to the last of its effects, in the order of time.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::list::id_of;
use crate::cli::output::{complain, say};
use crate::cli::table::{Form, json, one_line, pairs, when};
use crate::domain::{Tenant, floor_id};
use crate::ledger::{History, Ledger};
use crate::outbox::inspect::{self, Filter, Whole};

/// An operation that has had more events than this is looked at with `oncely outbox list`.
const EVENTS_MAX: u32 = 50;

/// The clocks of a transaction: its events are as old as their statements, and it is as old as its
/// begin.
const SLACK: Duration = Duration::from_secs(1);

/// A record, whole, as programs read it.
#[derive(Debug, Serialize)]
struct Document<'a> {
    tenant: &'a str,
    id: String,
    operation: &'a str,
    state: &'a str,
    attempt: i32,
    phase: Option<&'a str>,
    downstream_key: Option<Uuid>,
    status: Option<i16>,
    resource: Option<&'a str>,
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    timeline: Vec<Moment>,
}

/// Something that happened, or has not happened yet.
#[derive(Debug, Serialize)]
struct Moment {
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    what: &'static str,
    detail: String,
}

/// Shows the record of `tenant` with this id. Its events were enqueued while it was worked on, which
/// takes `within` at most.
pub(super) async fn show(
    ledger: &Ledger,
    (tenant, id): (&Tenant, [u8; 16]),
    within: Duration,
    form: Form,
) -> Result<ExitCode> {
    let Some(history) = ledger.history(tenant, id).await? else {
        complain(
            "there is no such record: the operation was never done under this key, was rolled back, \
             or is older than `idempotency.retention`\n",
        );
        return Ok(ExitCode::FAILURE);
    };
    let events = events_of(ledger, &history, within).await?;
    say(&match form {
        Form::Json => json(&document(&history, &events))?,
        Form::Table => text(&history, &events),
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn events_of(ledger: &Ledger, history: &History, within: Duration) -> Result<Vec<Whole>> {
    let Some(resource) = history.resource.clone() else {
        return Ok(Vec::new());
    };
    let began = history.record.created_at;
    let ended = history.completed_at.unwrap_or(began);
    let filter = Filter {
        tenant: Some(history.record.tenant.clone()),
        aggregate: Some(resource),
        from: Some(floor_id(began - SLACK)),
        before: Some(floor_id(ended + within + SLACK)),
        ..Filter::default()
    };
    let mut events = Vec::new();
    for entry in inspect::list(ledger, &filter, EVENTS_MAX).await? {
        events.extend(inspect::show(ledger, entry.id).await?);
    }
    events.reverse();
    Ok(events)
}

fn moments(history: &History, events: &[Whole]) -> Vec<Moment> {
    let record = &history.record;
    let moment = |at, what, detail: String| Moment { at, what, detail };
    let claimed = format!("attempt {}", record.attempt.max(1));
    let mut moments = vec![moment(Some(record.created_at), "acquired", claimed)];
    if !history.recorded.is_empty() {
        let names = history.recorded.join(", ");
        moments.push(moment(None, "recorded", names));
    }
    if let Some(phase) = &record.phase {
        let detail = match record.downstream_key {
            Some(key) => format!("{phase} is next or under way; its call carries {key}"),
            None => format!("{phase} is next or under way; no call was sent"),
        };
        moments.push(moment(record.lease_expires_at, "phase", detail));
    }
    if let Some(at) = history.completed_at {
        let status = record
            .response_status
            .map_or_else(String::new, |it| format!("answer {it}"));
        moments.push(moment(Some(at), "completed", status));
    }
    for audit in &history.audit {
        let detail = format!(
            "{} by {} (attempt {}): {}",
            audit.action, audit.who, audit.attempt, audit.why
        );
        moments.push(moment(Some(audit.done_at), "by hand", detail));
    }
    for Whole {
        entry, deliveries, ..
    } in events
    {
        let detail = format!("{} {} is {}", entry.topic, entry.id, entry.state());
        moments.push(moment(Some(entry.created_at), "event", detail));
        for it in deliveries {
            let error = it.last_error.as_deref();
            let error = error.map_or_else(String::new, |it| format!(": {it}"));
            let detail = format!("{} {}{error}", it.consumer, it.state);
            moments.push(moment(it.at, "effect", detail));
        }
    }
    // What has no instant stays behind what it was found with.
    let mut last = record.created_at;
    let mut keyed: Vec<_> = moments
        .into_iter()
        .map(|it| {
            last = it.at.unwrap_or(last);
            (last, it)
        })
        .collect();
    keyed.sort_by_key(|(at, _)| *at);
    keyed.into_iter().map(|(_, it)| it).collect()
}

fn document<'a>(history: &'a History, events: &[Whole]) -> Document<'a> {
    let record = &history.record;
    Document {
        tenant: &record.tenant,
        id: id_of(record),
        operation: &record.operation,
        state: &record.state,
        attempt: record.attempt,
        phase: record.phase.as_deref(),
        downstream_key: record.downstream_key,
        status: record.response_status,
        resource: history.resource.as_deref(),
        expires_at: history.completed_at.map(|_| history.expires_at),
        timeline: moments(history, events),
    }
}

fn text(history: &History, events: &[Whole]) -> String {
    let record = &history.record;
    let optional = |it: Option<String>| it.unwrap_or_else(|| "-".to_owned());
    let expires = history.completed_at.map(|_| when(history.expires_at));
    let mut text = pairs(&[
        ("tenant", record.tenant.clone()),
        ("id", id_of(record)),
        ("operation", record.operation.clone()),
        ("state", record.state.clone()),
        ("attempt", record.attempt.to_string()),
        ("phase", optional(record.phase.clone())),
        (
            "downstream key",
            optional(record.downstream_key.map(|it| it.to_string())),
        ),
        ("lease until", optional(record.lease_expires_at.map(when))),
        (
            "answer",
            optional(record.response_status.map(|it| it.to_string())),
        ),
        ("names", optional(history.resource.clone())),
        ("kept until", optional(expires)),
    ]);
    text.push('\n');
    for Moment { at, what, detail } in moments(history, events) {
        let at = at.map_or_else(|| "-".to_owned(), when);
        writeln!(text, "{at:24}  {what:9}  {}", one_line(&detail))
            .expect("invariant: a string takes what is written");
    }
    text
}
