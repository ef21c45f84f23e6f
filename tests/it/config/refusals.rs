//! Names and types that are refused, and how it is said.

use super::{CANARY, complaints};

#[test]
fn an_unknown_name_is_refused_with_the_nearest_valid_one() {
    let wrong = [
        (
            "[ledger]\npool_sise = 8",
            "unknown key `ledger.pool_sise` in oncely.toml; did you mean `ledger.pool_size`?",
        ),
        (
            "[hot]\noperation_timeout = '8s'",
            "unknown key `hot.operation_timeout` in oncely.toml; did you mean `ledger.operation_timeout`?",
        ),
        (
            "retention = '1h'",
            "unknown key `retention` in oncely.toml; did you mean `hot.retention`?",
        ),
        (
            "[leger]\npool_size = 8",
            "unknown key `leger` in oncely.toml; did you mean `ledger`?",
        ),
        (
            "ledger = 8",
            "unknown key `ledger` in oncely.toml; it is a section, write `[ledger]`",
        ),
        (
            "colour = 'red'",
            "unknown key `colour` in oncely.toml; `oncely config print` lists all keys",
        ),
    ];
    for (file, expected) in wrong {
        assert_eq!(complaints(file, &[]), [expected]);
    }
    let wrong = [
        (
            "ONCELY_LEDGER_POOL_SIZE",
            "unknown environment variable `ONCELY_LEDGER_POOL_SIZE`; did you mean `ONCELY_LEDGER__POOL_SIZE`?",
        ),
        (
            "ONCELY_DATABSE_URL",
            "unknown environment variable `ONCELY_DATABSE_URL`; did you mean `ONCELY_DATABASE_URL`?",
        ),
        (
            "ONCELY_AUTH__TOKENS",
            "unknown environment variable `ONCELY_AUTH__TOKENS`; did you mean `ONCELY_AUTH_TOKENS`?",
        ),
        (
            "ONCELY_http_addr",
            "unknown environment variable `ONCELY_http_addr`; did you mean `ONCELY_HTTP_ADDR`?",
        ),
        (
            "ONCELY_COLOUR",
            "unknown environment variable `ONCELY_COLOUR`; docs/configuration.md says how variables are spelled",
        ),
    ];
    for (name, expected) in wrong {
        assert_eq!(complaints("", &[(name, "8")]), [expected]);
    }
}

#[test]
fn a_wrong_type_names_key_value_place_and_what_was_expected() {
    let wrong = [
        (
            "[ledger]\npool_size = 'lots'",
            "`ledger.pool_size` = \"lots\" (file:oncely.toml) must be a whole number from 0 to 4294967295",
        ),
        (
            "[ledger]\npool_size = -1",
            "`ledger.pool_size` = -1 (file:oncely.toml) must be a whole number from 0 to 4294967295",
        ),
        (
            "[ledger]\nclaim = 'insertwait'",
            "`ledger.claim` = \"insertwait\" (file:oncely.toml) must be one of: advisory, insert_wait",
        ),
        (
            "[hot]\ntimeout = 50",
            "`hot.timeout` = 50 (file:oncely.toml) must be a duration with its unit, such as \"250ms\", \"5s\" or \"72h\"",
        ),
        (
            "[hot]\ntimeout = '50'",
            "`hot.timeout` = \"50\" (file:oncely.toml) must be a duration with its unit, such as \"250ms\", \"5s\" or \"72h\"",
        ),
        (
            "[hot]\nreplay_when_ledger_down = 'yes'",
            "`hot.replay_when_ledger_down` = \"yes\" (file:oncely.toml) must be true or false",
        ),
        (
            "[hot]\nkey_prefix = 2026-01-01",
            "`hot.key_prefix` = (a table or a date) (file:oncely.toml) must be a text",
        ),
        (
            "http_addr = 'localhost'",
            "`http_addr` = \"localhost\" (file:oncely.toml) must be an IP address and a port, such as \"127.0.0.1:8080\"",
        ),
        (
            "[idempotency]\nmismatch_status = 70000",
            "`idempotency.mismatch_status` = 70000 (file:oncely.toml) must be a whole number from 0 to 65535",
        ),
        (
            "[auth.tokens]\ndemo = ['abc']",
            "`auth.tokens` = [redacted] (file:oncely.toml) must be lists of SHA-256 digests, but token 1 of tenant `demo` is not 64 lowercase hexadecimal digits",
        ),
        (
            "[auth.tokens]\n'' = []",
            "`auth.tokens` = [redacted] (file:oncely.toml) must be lists of SHA-256 digests, but a tenant is not 1 to 255 printable ASCII characters",
        ),
    ];
    for (file, expected) in wrong {
        assert_eq!(complaints(file, &[]), [expected]);
    }
    assert_eq!(
        complaints("", &[("ONCELY_HOT__CONNECTIONS", "two")]),
        [
            "`hot.connections` = \"two\" (environment variable ONCELY_HOT__CONNECTIONS) must be a whole number that is not negative"
        ]
    );
}

#[test]
fn all_violations_are_reported_together() {
    let file = "colour = 1\n[ledger]\npool_size = 'lots'\nepoch_interval = '2s'\n[http]\nrequest_timeout = 'soon'\ndrain_timeout = '1s'";
    insta::assert_snapshot!(complaints(file, &[("ONCELY_HOT__CONECTIONS", "1")]).join("\n"), @r#"
    unknown key `colour` in oncely.toml; `oncely config print` lists all keys
    `http.request_timeout` = "soon" (file:oncely.toml) must be a duration with its unit, such as "250ms", "5s" or "72h"
    `ledger.pool_size` = "lots" (file:oncely.toml) must be a whole number from 0 to 4294967295
    unknown environment variable `ONCELY_HOT__CONECTIONS`; did you mean `ONCELY_HOT__CONNECTIONS`?
    `ledger.epoch_interval` = 2s (file:oncely.toml) must be at most `ledger.epoch_max_age`, which is 1s (default); lower `ledger.epoch_interval` or raise `ledger.epoch_max_age`
    "#);
}

#[test]
fn a_file_that_is_no_toml_is_refused_without_quoting_it() {
    let said = complaints(
        &format!("http_addr = '127.0.0.1:1'\nredis_url = \"redis://:{CANARY}@x"),
        &[],
    );
    assert!(
        said.len() == 1 && said[0].starts_with("no TOML at `line 2` in oncely.toml"),
        "{said:?}"
    );
    assert!(!said[0].contains(CANARY), "{said:?}");
}
