//! The dashboard as a file: four signals first, and each panel has a title, a unit and queries that Prometheus can
//! read, over metrics that there are.

use serde_json::Value;

use super::metrics::{documented, named_in};
use super::page::parsed;
use super::runbook::file;

fn dashboard() -> Value {
    serde_json::from_str(&file("ops/grafana/oncely.json")).unwrap()
}

/// The panels, without the rows' titles.
fn panels(dashboard: &Value) -> Vec<Value> {
    let all = dashboard["panels"].as_array().unwrap();
    let panels: Vec<Value> = all
        .iter()
        .filter(|it| it["type"] != "row")
        .cloned()
        .collect();
    assert!(15 < panels.len());
    panels
}

/// The queries of a panel, as Prometheus gets them from Grafana.
fn queries(panel: &Value) -> Vec<String> {
    let targets = panel["targets"].as_array().unwrap();
    let query = |it: &Value| {
        it["expr"]
            .as_str()
            .unwrap()
            .replace("$__rate_interval", "5m")
            .replace("$job", ".*")
    };
    targets.iter().map(query).collect()
}

#[test]
fn the_first_row_shows_the_four_signals() {
    let panels = panels(&dashboard());
    let signals = [
        "oncely_requests_total",
        "oncely_attempts_total",
        "oncely_outbox_lag_seconds",
        "oncely_effects_mismatch",
    ];
    for (n, (panel, metric)) in panels.iter().zip(signals).enumerate() {
        assert!(
            panel["title"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{}. ", n + 1))
        );
        assert_eq!(panel["gridPos"]["y"], panels[0]["gridPos"]["y"], "one row");
        assert!(queries(panel)[0].contains(metric), "{panel:#}");
    }
}

#[test]
fn each_panel_has_a_title_a_unit_a_sentence_and_a_query() {
    for panel in panels(&dashboard()) {
        assert!(is_whole(&panel), "{panel:#}");
        let mut without = panel.clone();
        without["fieldConfig"]["defaults"]["unit"] = Value::Null;
        assert!(!is_whole(&without));
    }
}

fn is_whole(panel: &Value) -> bool {
    let has = |it: &Value| it.as_str().is_some_and(|it| !it.is_empty());
    has(&panel["title"])
        && has(&panel["description"])
        && has(&panel["fieldConfig"]["defaults"]["unit"])
        && !queries(panel).is_empty()
        && panel["targets"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| has(&it["legendFormat"]))
}

#[test]
fn each_query_parses_and_names_metrics_that_there_are() {
    let queries: Vec<String> = panels(&dashboard()).iter().flat_map(queries).collect();
    let (is_fine, said) = parsed(&queries);
    assert!(is_fine, "{said}");
    let mut known = documented();
    known.insert("oncely_failures".to_owned());
    let named = named_in(&queries.join("\n"));
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_dashboard_names_each_alert_where_it_shows_its_signal() {
    let text = file("ops/grafana/oncely.json");
    let lost: Vec<_> = super::rules::alerts()
        .into_iter()
        .filter(|it| !text.contains(it))
        .collect();
    assert!(lost.is_empty(), "no panel names {lost:?}");
}
