//! The page of metrics against what a running process says, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use super::runbook::file;
use super::world::World;
use crate::harness::{run, until};

/// A metric: its type and its labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// The last section of the page: another process's metrics.
const CLIENT: &str = "## The retrying client";

#[test]
fn the_page_is_what_a_process_says() {
    run(async {
        let world = World::start(&[("all", "oncely serve", &[])]).await;
        assert_eq!(world.caller("all").charge("k-1", 1).await.status, 201);
        let published = on_the_page(&file("docs/metrics.md"));
        // Some are born with their first event, and some with the first look at the database.
        until(|| async {
            let said = said(&world).await;
            published.keys().all(|it| said.contains_key(it))
        })
        .await;
        let said = said(&world).await;
        let of = |it: &Metrics| {
            it.iter()
                .map(|(name, it)| format!("{name} {it:?}"))
                .collect::<BTreeSet<_>>()
        };
        let (page, said) = (of(&published), of(&said));
        let lacking: Vec<_> = said.difference(&page).collect();
        let too_much: Vec<_> = page.difference(&said).collect();
        assert!(lacking.is_empty(), "not on the page: {lacking:#?}");
        assert!(too_much.is_empty(), "on the page alone: {too_much:#?}");
    });
}

#[test]
fn the_page_has_the_metrics_of_the_client() {
    let page = file("docs/metrics.md");
    let (_, client) = page.split_once(CLIENT).unwrap();
    let source = file("src/telemetry/client.rs");
    let names = source
        .split('"')
        .filter(|it| it.starts_with("oncely_client_"));
    let declared: BTreeSet<String> = names.map(str::to_owned).collect();
    let on_page: BTreeSet<String> = table(client).into_keys().collect();
    assert_eq!(on_page, declared);
}

#[test]
fn a_table_is_read_by_its_columns() {
    let page = "| metric | type | labels | meaning |\n|---|---|---|---|\n| `a_b` | gauge | | X. |\n| `c` | counter | `x`, `y` | Z. |\n";
    let read = table(page);
    assert_eq!(read["a_b"], ("gauge".to_owned(), BTreeSet::new()));
    let labels = ["x", "y"].map(str::to_owned).into();
    assert_eq!(read["c"], ("counter".to_owned(), labels));
}

/// The names of all metrics on the page.
pub(super) fn documented() -> BTreeSet<String> {
    table(&file("docs/metrics.md")).into_keys().collect()
}

/// The metrics of ours that a text names, histograms without their suffixes.
pub(super) fn named_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let ours = words.filter(|it| it.starts_with("oncely_"));
    let plain = |it: &str| it.trim_end_matches("_bucket").to_owned();
    ours.map(plain).collect()
}

/// The process's own metrics on the page.
fn on_the_page(page: &str) -> Metrics {
    let (own, _) = page.split_once(CLIENT).unwrap();
    table(own)
}

fn table(text: &str) -> Metrics {
    let rows = text.lines().filter(|it| it.starts_with("| `"));
    let rows = rows.filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" |").map(str::trim).collect();
        let [name, kind, labels, ..] = &cells[..] else {
            return None;
        };
        let ticked = |it: &str| {
            it.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let name = ticked(name).into_iter().next()?;
        Some((
            name,
            ((*kind).to_owned(), ticked(labels).into_iter().collect()),
        ))
    });
    rows.filter(|it| matches!(&*it.1.0, "counter" | "gauge" | "histogram"))
        .collect()
}

/// What the process says at `/metrics`.
async fn said(world: &World) -> Metrics {
    let reply = world.admin("all").get("/metrics").await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((name, rest)) = line.split_once('{') {
            let name = name.trim_end_matches("_bucket");
            if let Some((_, labels)) = metrics.get_mut(name) {
                labels.extend(labels_of(rest));
            }
        }
    }
    metrics
}

/// The names in `a="x",b="y"} 1`, without the bounds of buckets.
fn labels_of(rest: &str) -> impl Iterator<Item = String> {
    let mut parts: Vec<&str> = rest.split("=\"").collect();
    parts.pop();
    let names = parts
        .into_iter()
        .filter_map(|it| it.rsplit([',', '"']).next());
    let names: Vec<String> = names.filter(|it| *it != "le").map(str::to_owned).collect();
    names.into_iter()
}
