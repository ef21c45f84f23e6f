//! The alerts as files: they parse, their own tests are green, and each says what a page needs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::metrics::{documented, named_in};
use super::prometheus::{Prometheus, promtool};
use super::runbook::file;
use crate::harness::run;

const RULES: &str = "ops/prometheus/oncely.rules.yml";

/// The names of all alerts.
pub(super) fn alerts() -> Vec<String> {
    let text = file(RULES);
    let names = text
        .lines()
        .filter_map(|it| it.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn the_rules_do_what_their_tests_say() {
    let (is_fine, said) = promtool(&["test", "rules", "ops/prometheus/oncely.rules.test.yml"]);
    assert!(is_fine, "{said}");
    let (is_fine, said) = promtool(&["check", "config", "ops/prometheus/prometheus.yml"]);
    assert!(is_fine, "{said}");
}

#[test]
fn each_alert_has_a_test_in_which_it_fires() {
    let tests = file("ops/prometheus/oncely.rules.test.yml");
    for alert in alerts() {
        let fires = format!("'{{alertname=\"{alert}\"}}', value: 1");
        assert!(tests.contains(&fires), "{alert} never fires in its tests");
    }
}

#[test]
fn each_alert_says_what_how_bad_and_where_to_read_on() {
    run(async {
        let prometheus = Prometheus::start(&[]).await;
        let rules = prometheus.rules().await;
        let rules: Vec<&Value> = rules.iter().filter(|it| it["type"] == "alerting").collect();
        assert_eq!(rules.len(), alerts().len());
        for rule in rules {
            let name = rule["name"].as_str().unwrap();
            let severity = rule["labels"]["severity"].as_str().unwrap();
            assert!(
                matches!(severity, "critical" | "warning"),
                "{name}: {severity}"
            );
            let annotations = &rule["annotations"];
            for text in ["summary", "description"] {
                assert!(
                    10 < annotations[text].as_str().unwrap().len(),
                    "{name}: {text}"
                );
            }
            let page = format!("runbook.md#{}", name.to_lowercase());
            assert_eq!(annotations["runbook_url"], page.as_str(), "{name}");
        }
    });
}

#[test]
fn the_rules_name_metrics_that_there_are() {
    let mut known = documented();
    known.insert("oncely_failures".to_owned());
    let named: BTreeSet<String> = named_in(&file(RULES));
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
