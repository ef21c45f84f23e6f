//! `report.html`: one page that needs nothing else.

use super::plots;
use super::svg::escape;
use crate::storm::evidence::{Evidence, grouped};

const STYLE: &str = include_str!("style.css");

/// At most so many violations are shown; `report.json` has all of them.
const SHOWN_MAX: usize = 100;

/// The whole page.
pub(super) fn page(evidence: &Evidence) -> String {
    let is_clean = evidence.violations.is_empty();
    let (class, word) = if is_clean {
        ("good", "held")
    } else {
        ("bad", "broken")
    };
    let seed = evidence.seed;
    let verdict = escape(&evidence.verdict());
    let rows: Vec<String> = evidence.rows().iter().map(row).collect();
    let rows = rows.concat();
    let violations = violations(evidence);
    let legend = plots::OUTCOMES
        .map(|(class, name)| format!("<span><i class=\"{class}\"></i>{name}</span>"));
    let legend = legend.concat();
    let (attempts, delays) = (plots::attempts(evidence), plots::delays(evidence));
    let (lag, outcomes) = (plots::lag(evidence), plots::outcomes(evidence));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Oncely storm, seed {seed}</title>\n<style>{STYLE}</style></head>\n<body>\n\
         <h1>Oncely storm, seed {seed}</h1>\n\
         <p class=\"verdict {class}\">{verdict} <small>the promise {word}</small></p>\n\
         {violations}\n\
         <h2>Outcomes over time</h2>\n<p class=\"legend\">{legend}{FAULTS}</p>\n{outcomes}\n\
         <h2>Outbox lag</h2>\n\
         <p>Age of the oldest event that no broker has, in seconds, from the outbox's table. \
         A gap: Postgres was down.</p>\n<p class=\"legend\">{FAULTS}</p>\n{lag}\n\
         <h2>Attempts</h2>\n\
         <p>Operations by the number of requests that their customer's client sent, on a scale of \
         powers of ten.</p>\n{attempts}\n\
         <h2>Delays</h2>\n<p>Percent of operations that were answered \
         (<b class=\"line-a\">from order to answer</b>), and of charges whose receipt was sent \
         (<b class=\"line-b\">from charge to receipt</b>), after so many seconds.</p>\n{delays}\n\
         <h2>Evidence</h2>\n<table>{rows}</table>\n\
         <p>The page draws what <code>report.json</code> holds. Every request is a line of \
         <code>charges.jsonl</code> or <code>payments.jsonl</code>.</p>\n</body></html>\n"
    )
}

const FAULTS: &str = "<span><i class=\"fault redis\"></i>Redis</span>\
    <span><i class=\"fault postgres\"></i>Postgres</span>\
    <span><i class=\"fault process\"></i>process or network</span>";

fn row((group, name, value): &(&str, String, String)) -> String {
    let (group, name, value) = (escape(group), escape(name), escape(value));
    format!("<tr><th>{group}</th><td>{name}</td><td class=\"n\">{value}</td></tr>\n")
}

fn violations(evidence: &Evidence) -> String {
    if evidence.violations.is_empty() {
        return String::new();
    }
    let shown = evidence.violations.iter().take(SHOWN_MAX);
    let rows: Vec<String> = shown
        .map(|it| {
            let lines: Vec<String> = it.lines.iter().map(usize::to_string).collect();
            let cells = [&it.rule, &it.of, &it.seen, &it.means, &lines.join(", ")];
            let cells = cells.map(|it| format!("<td>{}</td>", escape(it)));
            format!("<tr>{}</tr>\n", cells.concat())
        })
        .collect();
    let (rows, n) = (rows.concat(), grouped(evidence.violations.len()));
    format!(
        "<h2>Violations: {n}</h2>\n<table class=\"bad\"><tr><th>rule</th><th>record or effect</th>\
         <th>seen</th><th>means</th><th>lines</th></tr>\n{rows}</table>"
    )
}
