//! The evidence as a table, the violations with the next step, and the verdict as the last line.

use std::path::Path;

use super::StormCommand;
use crate::cli::table::table;
use crate::storm::{Breach, Evidence};

/// At most so many violations are printed; the report has all of them.
const SHOWN_MAX: usize = 20;

/// Everything that is printed at the end.
pub(super) fn show(command: &StormCommand, evidence: &Evidence, out: &Path) -> String {
    let rows = evidence.rows().into_iter();
    let rows = rows.map(|(group, name, value)| vec![group.to_owned(), name, value]);
    let mut parts = vec![table(&["from", "what", "how much"], rows)];
    let shown = evidence.violations.iter().take(SHOWN_MAX);
    parts.extend(shown.map(violation));
    let n_more = evidence.violations.len().saturating_sub(SHOWN_MAX);
    if 0 < n_more {
        parts.push(format!("… and {n_more} more\n"));
    }
    if !evidence.violations.is_empty() {
        parts.push(next_step(command, evidence.seed));
    }
    let (page, verdict) = (out.join("report.html"), evidence.verdict());
    parts.push(format!("report: {}\n{verdict}\n", page.display()));
    parts.concat()
}

fn violation(it: &Breach) -> String {
    let lines: Vec<String> = it.lines.iter().map(usize::to_string).collect();
    let lines = match lines.as_slice() {
        [] => String::new(),
        some => format!(" (lines {} of its history)", some.join(", ")),
    };
    let Breach {
        rule,
        of,
        seen,
        means,
        ..
    } = it;
    format!("violation: {rule} of {of}: {seen}{lines}: {means}\n")
}

fn next_step(command: &StormCommand, seed: u64) -> String {
    let look = if command.url.is_some() {
        let tenant = &command.tenant;
        format!("look at a record by `oncely key show {tenant} <id>`, and")
    } else {
        format!("brew the same storm again by --seed {seed}, or")
    };
    format!("next: {look} read those lines in charges.jsonl and payments.jsonl beside the report\n")
}
