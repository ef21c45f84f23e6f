//! A report for people, line by line, and for programs, as one JSON object.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::report::{Check, Level, Report};
use crate::cli::table::{json, one_line};

/// A report as programs read it. Members may be added; none changes its meaning.
#[derive(Serialize)]
struct Document<'a> {
    verdict: Level,
    errors: usize,
    warnings: usize,
    good: usize,
    checks: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    section: &'static str,
    #[serde(flatten)]
    check: &'a Check,
}

pub(super) fn as_json(report: &Report) -> Result<String> {
    let rows = report.sections.iter().flat_map(|section| {
        let row = |check| Row {
            section: section.name,
            check,
        };
        section.checks.iter().map(row)
    });
    json(&Document {
        verdict: report.verdict(),
        errors: report.count(Level::Error),
        warnings: report.count(Level::Warning),
        good: report.count(Level::Good),
        checks: rows.collect(),
    })
}

pub(super) fn as_text(report: &Report) -> String {
    let checks = report.sections.iter().flat_map(|it| &it.checks);
    let width = checks.map(|it| it.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for section in &report.sections {
        match &section.place {
            Some(place) => writeln!(text, "{} at {}", section.name, one_line(place)),
            None => writeln!(text, "{}", section.name),
        }
        .expect("invariant: a string takes what is written");
        for check in &section.checks {
            text.push_str(&lines(check, width));
        }
        text.push('\n');
    }
    text.push_str(&summary(report));
    text
}

fn lines(check: &Check, width: usize) -> String {
    let sign = match check.level {
        Level::Good => '√',
        Level::Warning => '!',
        Level::Error => '×',
    };
    let found = one_line(&check.found);
    let mut lines = format!("  {sign} {:width$}  {found}\n", check.name);
    let more = [("→", &check.hint), ("see", &check.runbook)];
    for (what, text) in more
        .iter()
        .filter_map(|(sign, it)| Some((sign, it.as_ref()?)))
    {
        let indent = width + 6;
        writeln!(lines, "{:indent$}{what} {}", "", one_line(text))
            .expect("invariant: a string takes what is written");
    }
    lines
}

fn summary(report: &Report) -> String {
    let [errors, warnings, good] =
        [Level::Error, Level::Warning, Level::Good].map(|it| report.count(it));
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let counted = format!(
        "{errors} error{}, {warnings} warning{}, {good} good",
        plural(errors),
        plural(warnings)
    );
    match report.verdict() {
        Level::Good => format!("{counted}: all is well\n"),
        Level::Warning => format!("{counted}: it works, and should be looked at\n"),
        Level::Error => format!("{counted}: do not serve like this\n"),
    }
}
