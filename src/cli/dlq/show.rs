//! How dead letters are shown: a row each, or one of them whole.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::table::{json, pairs, table, when};
use crate::inbox::dead_letter::{DeadLetter, Summary};

/// A dead letter without its contents, for programs.
#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    consumer: &'a str,
    tenant: &'a str,
    topic: &'a str,
    kind: &'a str,
    aggregate: &'a str,
    seq: i64,
    reason: &'a str,
    attempts: i32,
    error: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    dead_at: OffsetDateTime,
}

/// A dead letter whole, for programs. A payload that is no text is shown with U+FFFD.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    state: &'a str,
    previous: Option<Uuid>,
    headers: &'a std::collections::BTreeMap<String, String>,
    payload: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    audit: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    action: &'static str,
    who: &'a str,
    why: &'a str,
}

impl<'a> Row<'a> {
    fn of(letter: &'a Summary) -> Self {
        Self {
            id: letter.key.id,
            consumer: &letter.key.consumer,
            tenant: &letter.key.tenant,
            topic: &letter.topic,
            kind: &letter.kind,
            aggregate: &letter.aggregate,
            seq: letter.seq,
            reason: &letter.reason,
            attempts: letter.attempts,
            error: &letter.error,
            dead_at: letter.dead_at,
        }
    }
}

impl<'a> Whole<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        let audit = letter.audit.iter().map(|it| Entry {
            at: it.at,
            action: it.action.as_str(),
            who: &it.who,
            why: &it.why,
        });
        Self {
            row: Row::of(&letter.summary),
            state: &letter.state,
            previous: letter.previous,
            headers: &letter.headers,
            payload: String::from_utf8_lossy(&letter.payload).into_owned(),
            created_at: letter.created_at,
            audit: audit.collect(),
        }
    }
}

/// A list for programs.
pub(super) fn list_as_json(letters: &[Summary]) -> Result<String> {
    json(&letters.iter().map(Row::of).collect::<Vec<_>>())
}

/// Whole letters for programs.
pub(super) fn whole_as_json(letters: &[DeadLetter]) -> Result<String> {
    json(&letters.iter().map(Whole::of).collect::<Vec<_>>())
}

/// A list for people.
pub(super) fn list(letters: &[Summary]) -> String {
    let rows = letters.iter().map(|it| {
        vec![
            it.key.id.to_string(),
            it.key.consumer.clone(),
            it.key.tenant.clone(),
            it.topic.clone(),
            format!("{} {}", it.kind, it.aggregate),
            it.reason.clone(),
            it.attempts.to_string(),
            when(it.dead_at),
            shortened(&it.error),
        ]
    });
    table(
        &[
            "id",
            "consumer",
            "tenant",
            "topic",
            "about",
            "reason",
            "attempts",
            "dead since",
            "error",
        ],
        rows,
    )
}

/// One letter for people.
pub(super) fn whole(letter: &DeadLetter) -> String {
    let it = &letter.summary;
    let previous = letter
        .previous
        .map_or_else(|| "none".to_owned(), |it| it.to_string());
    let headers = letter.headers.iter();
    let headers: Vec<String> = headers
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut lines = vec![
        ("id", it.key.id.to_string()),
        ("consumer", it.key.consumer.clone()),
        ("state", letter.state.clone()),
        ("reason", it.reason.clone()),
        ("attempts", it.attempts.to_string()),
        ("error", it.error.clone()),
        ("dead since", when(it.dead_at)),
        ("enqueued", when(letter.created_at)),
        ("tenant", it.key.tenant.clone()),
        ("topic", it.topic.clone()),
        ("about", format!("{} {}", it.kind, it.aggregate)),
        ("seq", it.seq.to_string()),
        ("previous", previous),
        ("headers", headers.join(", ")),
        (
            "payload",
            String::from_utf8_lossy(&letter.payload).into_owned(),
        ),
    ];
    for entry in &letter.audit {
        let (at, action) = (when(entry.at), entry.action.as_str());
        lines.push((
            "audit",
            format!("{at} {action} by {}: {}", entry.who, entry.why),
        ));
    }
    pairs(&lines)
}

/// The beginning of an error, so that a row is one line.
fn shortened(error: &str) -> String {
    const LENGTH: usize = 60;
    if error.chars().count() <= LENGTH {
        return error.to_owned();
    }
    let beginning: String = error.chars().take(LENGTH - 1).collect();
    beginning + "…"
}
