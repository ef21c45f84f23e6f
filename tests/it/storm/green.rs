//! A sound stack holds, and the report says what was seen.

use oncely::history::{self, Expect};

use super::Storm;

#[test]
fn a_small_storm_finds_each_operation_done_once() {
    let arguments = ["--operations", "60", "--duration", "14s", "--seed", "11"];
    let storm = Storm::brew(&arguments);
    assert_eq!(storm.code, 0, "{}\n{}", storm.out, storm.complaints);
    let verdict = "60 operations, 60 effects applied, 0 violations";
    assert_eq!(storm.last_line(), verdict);

    let json = storm.json();
    assert_eq!(json["seed"], 11);
    let n = |pointer: &str| json.pointer(pointer).unwrap().as_u64().unwrap();
    assert_eq!(n("/operations/done"), 60);
    assert_eq!(n("/operations/declined"), 3);
    assert_eq!(n("/operations/confirmed"), 63, "the same answer later");
    assert_eq!(n("/tables/charges") + n("/tables/payments"), 60);
    for consumer in ["journal", "receipts", "inventory"] {
        let applied = n(&format!("/tables/applied/{consumer}"));
        assert_eq!(applied, n("/tables/charges"), "{consumer}");
    }
    let faults = json["faults"].as_object().unwrap();
    assert!(4 < faults.len(), "{faults:?}");
    assert!(63 < n("/requests/sent") && 0 < n("/requests/replayed"));
    assert!(0 < n("/metrics/requests") && 0 < n("/metrics/effects_applied"));
    assert!(!json["lag"].as_array().unwrap().is_empty());

    let page = storm.file("report.html");
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(page.contains(verdict) && page.contains("Redis"));
    for outside in ["http://", "https://", "src=", "<script", "@import"] {
        assert!(!page.contains(outside), "{outside}: it needs nothing else");
    }
    for name in ["charges.jsonl", "payments.jsonl"] {
        let events = history::read(storm.file(name).as_bytes()).unwrap();
        let report = history::check(&events, &Expect::default());
        assert!(report.is_clean() && 0 < report.n_keys, "{report}");
    }
}

#[test]
fn in_fair_weather_nothing_breaks() {
    let arguments = ["--operations", "30", "--duration", "3s", "--calm"];
    let storm = Storm::brew(&arguments);
    assert_eq!(storm.code, 0, "{}\n{}", storm.out, storm.complaints);
    let json = storm.json();
    assert!(json["faults"].as_object().unwrap().is_empty());
    assert_eq!(json["operations"]["done"], 30);
}
