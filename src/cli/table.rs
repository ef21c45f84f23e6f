//! How commands show what they found: tables for people, JSON for programs.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Table,
    /// For programs
    Json,
}

/// Rows under a header.
pub(super) fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|it| one_line(it)));
    }
    format!("{table}\n")
}

/// A name and a value on each line.
pub(super) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {}\n", one_line(value));
    pairs.iter().map(line).collect()
}

/// A value as JSON, on lines of its own.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String> {
    let text = serde_json::to_string_pretty(value).context("write JSON")?;
    Ok(text + "\n")
}

/// An instant, to the millisecond.
pub(super) fn when(at: OffsetDateTime) -> String {
    let at = at.replace_millisecond(at.millisecond()).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// A number of seconds in words, such as `2m 5s`.
pub(super) fn age(seconds: f64) -> String {
    let millis = Duration::try_from_secs_f64(seconds.max(0.0)).map_or(0, |it| it.as_millis());
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    let shown = if millis < 10_000 {
        millis
    } else {
        millis / 1000 * 1000
    };
    humantime::format_duration(Duration::from_millis(shown)).to_string()
}

/// Control characters would move the cursor of whoever reads it.
pub(super) fn one_line(text: &str) -> String {
    let escape = |it: char| {
        if it.is_control() {
            it.escape_default().to_string()
        } else {
            it.to_string()
        }
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        let shown = pairs(&[("why", "a\u{1b}[2Jb\nc".to_owned())]);
        assert_eq!(shown, "why  a\\u{1b}[2Jb\\nc\n");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            when(datetime!(2026-11-22 02:00:00.123456 UTC)),
            "2026-11-22T02:00:00.123Z"
        );
        assert_eq!(age(0.25), "250ms");
        assert_eq!(age(125.7), "2m 5s");
        assert_eq!(age(-1.0), "0s");
    }
}
