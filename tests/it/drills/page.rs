//! The runbook as a page: a section for each alert and no other, all of its parts, and no command that does not exist.

use std::collections::BTreeSet;
use std::process::Command;

use super::metrics::{documented, named_in};
use super::prometheus::promtool;
use super::rules::alerts;
use super::runbook::{Kind, Section, file, sections};
use super::shell::variables_of;

/// What comes before the alerts.
const FIRST: &str = "The first sixty seconds";

/// The parts of a section, in their order.
const PARTS: [&str; 8] = [
    "**Meaning.**",
    "**Impact.**",
    "**Is it real?**",
    "**Who.**",
    "**Causes, the likeliest first**",
    "**Done when**",
    "**Never**",
    "**Escalate**",
];

/// Programs that an operator has.
const PROGRAMS: [&str; 5] = ["oncely", "curl", "psql", "redis-cli", "pg_isready"];

/// Variables that the page explains.
const VARIABLES: [&str; 11] = [
    "ADMIN",
    "ONCELY_DATABASE_URL",
    "ONCELY_REDIS_URL",
    "TENANT",
    "ID",
    "ATTEMPT",
    "WHO",
    "PID",
    "CHARGE",
    "EXTRA",
    "ONCELY_ADMIN_ADDR",
];

#[test]
fn each_alert_has_its_section_and_each_section_its_alert() {
    let alerts: BTreeSet<String> = alerts().into_iter().collect();
    let titles: BTreeSet<String> = sections()
        .into_iter()
        .map(|it| it.title)
        .filter(|it| it != FIRST)
        .collect();
    assert!(15 < alerts.len(), "{alerts:?}");
    assert_eq!(titles, alerts);
}

#[test]
fn each_section_has_all_its_parts() {
    let wrong: Vec<String> = sections()
        .iter()
        .filter(|it| it.title != FIRST)
        .flat_map(incomplete)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_incomplete_section_is_found() {
    let page = file("runbook.md");
    let whole = |it: &str| {
        super::runbook::parse(it)[1..]
            .iter()
            .flat_map(incomplete)
            .count()
    };
    assert_eq!(whole(&page), 0);
    assert_ne!(whole(&page.replacen("**Never**", "**Rarely**", 1)), 0);
    assert_ne!(
        whole(&page.replacen("```promql done", "```promql real", 1)),
        0
    );
}

fn incomplete(section: &Section) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rest = section.text.as_str();
    for part in PARTS {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => wrong.push(format!("{}: no {part} in its place", section.title)),
        }
    }
    if section.all(Kind::Done).count() != 1 {
        wrong.push(format!("{}: one query says when it is over", section.title));
    }
    if section.all(Kind::Check).count() == 0 {
        wrong.push(format!("{}: nothing to check", section.title));
    }
    wrong
}

#[test]
fn the_table_names_each_alert_and_begins_with_three_signals() {
    let page = file("runbook.md");
    let rows: Vec<&str> = page.lines().filter(|it| it.starts_with("| ")).collect();
    assert!(rows[0].starts_with("| signal | what it means | first command | fix |"));
    for (row, signal) in rows[1..]
        .iter()
        .zip(["422 spike", "attempt-3 surge", "outbox lag"])
    {
        assert!(row.contains(signal), "{row}");
    }
    let table = rows.join("\n").to_lowercase();
    for alert in alerts() {
        let link = format!("(#{})", alert.to_lowercase());
        assert!(table.contains(&link), "the table does not lead to {alert}");
    }
}

#[test]
fn each_command_of_the_page_exists() {
    let missing: BTreeSet<String> = commands().iter().filter_map(|it| missing(it)).collect();
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    for (command, is_missing) in [
        ("oncely dlq list", false),
        ("oncely dlq redrive \"$ID\" --why \"x\"", false),
        ("oncely dlq redrive \"$ID\" --because \"x\"", true),
        ("oncely dlq resurrect", true),
        ("kubectl get pods", true),
        ("curl -s \"$ADMIN/metrics\" | grep x", false),
    ] {
        assert_eq!(missing(command).is_some(), is_missing, "{command}");
    }
}

#[test]
fn each_variable_of_a_command_is_one_that_the_page_explains() {
    for command in commands() {
        for name in variables_of(&command) {
            assert!(VARIABLES.contains(&name), "{name} in {command}");
        }
    }
}

#[test]
fn each_query_of_the_page_parses_and_names_metrics_that_there_are() {
    let all = sections();
    let queries = all.iter().flat_map(|it| &it.blocks);
    let queries = queries.filter(|it| matches!(it.kind, Kind::Real | Kind::Done));
    let queries: Vec<String> = queries.map(|it| it.text.clone()).collect();
    assert!(20 < queries.len());
    let (is_fine, said) = parsed(&queries);
    assert!(is_fine, "{said}");
    assert!(
        !parsed(&["sum(rate(x)".to_owned()]).0,
        "a query that does not parse"
    );
    let mut known = documented();
    known.insert("oncely_failures".to_owned());
    let unknown: Vec<_> = named_in(&queries.join("\n"))
        .difference(&known)
        .cloned()
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Whether Prometheus can read all of these, and what it says.
pub(super) fn parsed(queries: &[String]) -> (bool, String) {
    let rules: Vec<_> = queries
        .iter()
        .enumerate()
        .map(|(n, it)| serde_json::json!({"record": format!("query:{n}"), "expr": it}))
        .collect();
    let file = serde_json::json!({"groups": [{"name": "queries", "rules": rules}]});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queries.yml");
    // JSON is YAML.
    std::fs::write(&path, file.to_string()).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()])
}

#[test]
fn each_command_of_the_incidents_is_one_of_the_page() {
    let (page, incidents) = (file("runbook.md"), file("docs/incidents.md"));
    let typed: Vec<&str> = incidents
        .lines()
        .filter_map(|it| it.strip_prefix("$ "))
        .collect();
    assert!(5 < typed.len(), "{typed:?}");
    let strange: Vec<_> = typed.iter().filter(|it| !page.contains(**it)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// All that the page tells somebody to type: its blocks, and code in its text that begins with a program.
fn commands() -> Vec<String> {
    let page = file("runbook.md");
    let blocks = sections().into_iter().flat_map(|it| it.blocks);
    let blocks = blocks.filter(|it| matches!(it.kind, Kind::Check | Kind::Fix | Kind::Start));
    let mut commands: Vec<String> = blocks.map(|it| it.text).collect();
    for line in page
        .lines()
        .filter(|it| !it.trim_start().starts_with("```"))
    {
        let spans = line.split('`').skip(1).step_by(2);
        let typed = spans.filter(|it| it.starts_with("oncely ") || it.starts_with("curl "));
        commands.extend(typed.map(|it| it.replace("\\|", "|")));
    }
    assert!(30 < commands.len());
    commands
}

/// What of a command there is not: a program, a subcommand, or a flag.
fn missing(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    if !PROGRAMS.contains(&words[0]) {
        return Some(words[0].to_owned());
    }
    if words[0] != "oncely" {
        return None;
    }
    let is_plain =
        |it: &&&str| it.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !it.starts_with('-');
    let names: Vec<&str> = words[1..].iter().take_while(is_plain).copied().collect();
    let helped = Command::new(env!("CARGO_BIN_EXE_oncely"))
        .args(&names)
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8_lossy(&helped.stdout).into_owned();
    let typed = names.join(" ");
    let is_known = helped.status.success() && help.contains(&format!("Usage: oncely {typed}"));
    let flags = words.iter().filter(|it| it.starts_with("--"));
    let lost: Vec<_> = flags.filter(|it| !help.contains(**it)).collect();
    (!is_known || !lost.is_empty()).then(|| format!("oncely {typed}"))
}
