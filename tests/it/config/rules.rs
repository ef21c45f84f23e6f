//! The rules between settings, each broken once.

use oncely::config::{Config, Error, Problem};

use super::{complaints, load_from};

/// A setting, a value that breaks one rule, and the key that the rule is about.
const WRONG: &[(&str, &str, &str)] = &[
    ("ledger.epoch_interval", "2s", "ledger.epoch_interval"),
    ("ledger.acquire_timeout", "10s", "ledger.acquire_timeout"),
    (
        "ledger.insert_wait_timeout",
        "10s",
        "ledger.insert_wait_timeout",
    ),
    (
        "ledger.statement_timeout",
        "11s",
        "ledger.statement_timeout",
    ),
    ("http.request_timeout", "10s", "ledger.operation_timeout"),
    ("http.drain_timeout", "14s", "http.request_timeout"),
    ("hot.timeout", "1001ms", "hot.timeout"),
    ("hot.retention", "73h", "hot.retention"),
    (
        "idempotency.client_retry_window",
        "72h",
        "idempotency.client_retry_window",
    ),
    ("hot.trust_window", "16s", "hot.trust_window"),
    ("hot.latch_ttl", "9s", "ledger.operation_timeout"),
    ("ledger.prune_grace", "29s", "ledger.prune_grace"),
    ("ledger.prune_batch", "5001", "ledger.prune_batch"),
    ("hot.answer_limit_bytes", "262145", "hot.answer_limit_bytes"),
    (
        "idempotency.mismatch_status",
        "400",
        "idempotency.mismatch_status",
    ),
    (
        "idempotency.replay_headers",
        "x-a,set-cookie",
        "idempotency.replay_headers",
    ),
    (
        "idempotency.replay_headers",
        "x a",
        "idempotency.replay_headers",
    ),
    (
        "ledger.lease_renew_interval",
        "5001ms",
        "ledger.lease_renew_interval",
    ),
    (
        "processor.url",
        "https://processor.example",
        "processor.url",
    ),
    ("tax.url", "https://tax.example", "tax.url"),
    ("tax.attempts_max", "5", "tax.attempts_max"),
    ("hot.key_prefix", "", "hot.key_prefix"),
    ("hot.key_prefix", "on cely", "hot.key_prefix"),
    ("admin_addr", "127.0.0.1:8080", "admin_addr"),
    ("admin_addr", "0.0.0.0:8080", "admin_addr"),
    ("database_url", "mysql://localhost", "database_url"),
    ("redis_url", "localhost:6379", "redis_url"),
    ("log.filter", " ", "log.filter"),
    ("auth.tokens", "a:same,b:same", "auth.tokens"),
    (
        "ledger.idle_in_transaction_timeout",
        "25days",
        "ledger.idle_in_transaction_timeout",
    ),
    (
        "ledger.statement_timeout",
        "100us",
        "ledger.statement_timeout",
    ),
    ("idempotency.retention", "200years", "idempotency.retention"),
    ("idempotency.max_wait", "301s", "idempotency.max_wait"),
];

#[test]
fn each_broken_rule_is_named() {
    for (key, value, blamed) in WRONG {
        let Err(Error::Invalid(violations)) = load_from("", &[], &[(key, value)]) else {
            panic!("{key} = {value} was accepted");
        };
        let [violation] = violations.as_slice() else {
            panic!("{key} = {value}: {violations:?}");
        };
        assert_eq!(violation.key, *blamed);
        assert_eq!(violation.problem, Problem::Rule, "{violation}");
        assert!(
            violation.value.is_some() && violation.fix.is_some(),
            "{violation}"
        );
    }
}

#[test]
fn redis_is_given_up_before_the_ledger() {
    let ledger = [
        "acquire_timeout",
        "statement_timeout",
        "insert_wait_timeout",
    ];
    let shorter = ledger.map(|it| format!("{it} = '10ms'\n")).concat();
    let file = format!("[ledger]\noperation_timeout = '50ms'\n{shorter}");
    let said = complaints(&file, &[]);
    assert!(
        said.len() == 1 && said[0].starts_with("`hot.timeout` = 50ms (default) must be less than"),
        "{said:?}"
    );
}

#[test]
fn a_lease_outlives_what_is_done_under_it_and_its_renewals() {
    let broken = |file: &str| {
        let said = complaints(file, &[]);
        assert_eq!(said.len(), 1, "{said:?}");
        said.concat()
    };
    let said = broken("[ledger]\nlease = '10s'\nlease_renew_interval = '3s'");
    let rule = "`ledger.operation_timeout` = 10s (default) must be less than `ledger.lease`";
    assert!(said.starts_with(rule), "{said}");
    let said = broken("[ledger]\nlease = '14999ms'");
    let rule = "`ledger.lease_renew_interval` = 5s (default) must be at most a third";
    assert!(said.starts_with(rule), "{said}");
    assert!(
        complaints(
            "[ledger]\nlease = '10001ms'\nlease_renew_interval = '3333ms'",
            &[]
        )
        .is_empty()
    );
}

#[test]
fn a_call_to_the_processor_ends_before_its_attempt() {
    let file = "[processor]\nurl = 'http://127.0.0.1:1'\ntimeout = '10s'";
    let said = complaints(file, &[]);
    assert!(
        said.len() == 1 && said[0].contains("must be less than `ledger.operation_timeout`"),
        "{said:?}"
    );
}

#[test]
fn all_tries_of_the_tax_service_and_their_waits_end_before_their_attempt() {
    let file = |timeout: &str| format!("[tax]\nurl = 'http://127.0.0.1:1'\ntimeout = '{timeout}'");
    // Four tries, and 100 + 200 + 400 ms between them.
    let said = complaints(&file("2325ms"), &[]);
    assert!(
        said.len() == 1 && said[0].contains("up to 10s, which must be less than"),
        "{said:?}"
    );
    assert!(complaints(&file("2324ms"), &[]).is_empty());
}

#[test]
fn the_bounds_of_each_rule_are_allowed() {
    let right = [
        ("ledger.epoch_interval", "1s"),
        ("ledger.acquire_timeout", "9999ms"),
        ("ledger.statement_timeout", "10s"),
        ("http.request_timeout", "10001ms"),
        ("http.drain_timeout", "15s"),
        ("hot.timeout", "1s"),
        ("hot.retention", "72h"),
        ("idempotency.client_retry_window", "71h"),
        ("hot.trust_window", "15s"),
        ("hot.trust_window", "0s"),
        ("hot.latch_ttl", "10s"),
        ("ledger.prune_grace", "30s"),
        ("ledger.lease", "15s"),
        ("ledger.lease_renew_interval", "5s"),
        ("processor.url", "http://127.0.0.1:1"),
        ("tax.url", "http://127.0.0.1:1"),
        ("tax.attempts_max", "1"),
        ("hot.answer_limit_bytes", "262144"),
        ("hot.answer_limit_bytes", "0"),
        ("idempotency.mismatch_status", "409"),
        ("admin_addr", "127.0.0.2:8080"),
        ("database_url", "postgresql://localhost"),
        ("redis_url", "unix:///run/redis.sock"),
    ];
    for (key, value) in right {
        assert!(
            load_from("", &[], &[(key, value)]).is_ok(),
            "{key} = {value}"
        );
    }
    let free = "http_addr = '127.0.0.1:0'\nadmin_addr = '127.0.0.1:0'";
    assert!(load_from(free, &[], &[]).is_ok());
}

#[test]
fn nothing_that_must_be_positive_is_zero() {
    let may_be_zero = [
        "hot.trust_window",
        "idempotency.max_wait",
        "idempotency.max_waiters",
        "hot.answer_limit_bytes",
        "idempotency.mismatch_status",
    ];
    for entry in load_from("", &[], &[]).unwrap().entries() {
        let is_duration = |text: &str| humantime::parse_duration(text).is_ok();
        let zero = if entry.value.is_number() {
            "0"
        } else if entry.value.as_str().is_some_and(is_duration) {
            "0s"
        } else {
            continue;
        };
        if may_be_zero.contains(&entry.key.as_str()) {
            continue;
        }
        let Err(Error::Invalid(violations)) = load_from("", &[], &[(&entry.key, zero)]) else {
            panic!("{} = {zero} was accepted", entry.key);
        };
        assert!(
            violations.iter().any(|it| it.key == entry.key),
            "{violations:?}"
        );
    }
}

#[test]
fn what_serve_requires_is_named_with_its_variable_and_an_example() {
    let missing = Config::defaults().required_for_serve();
    let keys: Vec<_> = missing.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["database_url", "redis_url", "auth.tokens"]);
    let said = missing[0].to_string();
    assert!(said.contains("ONCELY_DATABASE_URL=postgres://"), "{said}");

    let variables = [
        ("ONCELY_DATABASE_URL", "postgres://localhost"),
        ("ONCELY_REDIS_URL", "redis://localhost"),
        ("ONCELY_AUTH_TOKENS", "demo:secret"),
    ];
    assert_eq!(
        load_from("", &variables, &[])
            .unwrap()
            .config
            .required_for_serve(),
        []
    );
}

#[test]
fn risky_settings_are_warned_of_with_the_fix() {
    let warnings = Config::defaults().warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().contains("openssl rand -hex 32"));

    let file = "[idempotency]\nfingerprint_secret = 'short'\n[hot]\nreplay_when_ledger_down = true";
    let warnings = load_from(file, &[], &[]).unwrap().config.warnings();
    let keys: Vec<_> = warnings.iter().map(|it| it.key).collect();
    assert_eq!(
        keys,
        [
            "idempotency.fingerprint_secret",
            "hot.replay_when_ledger_down",
        ]
    );
}
