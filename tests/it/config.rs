//! Settings: what wins, what is refused, and how it is said.

use std::collections::BTreeSet;
use std::time::Duration;

use oncely::config::{
    Claim, Config, DEFAULT_FILE, Error, Flag, Loaded, Origin, PLACEHOLDER, Problem, Sources,
    Violation, load,
};

const CANARY: &str = "canary-7f3a";

/// Loads a file's text, variables and flags.
fn load_from(
    file: &str,
    variables: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oncely.toml");
    std::fs::write(&path, file).unwrap();
    load(Sources {
        file: Some(path),
        environment: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        flags: flags
            .iter()
            .map(|(key, value)| Flag {
                name: format!("--{}", key.replace('_', "-")),
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
    })
}

fn violations(file: &str, variables: &[(&str, &str)]) -> Vec<Violation> {
    match load_from(file, variables, &[]) {
        Err(Error::Invalid(violations)) => violations,
        Err(error) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

/// Every violation in words, the folder of the file left out.
fn complaints(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let said = violations(file, variables).into_iter().map(|mut it| {
        if let Some(Origin::File(path)) = &mut it.origin {
            *path = "oncely.toml".into();
        }
        it.to_string()
    });
    said.collect()
}

#[test]
fn the_defaults_keep_every_rule() {
    assert_eq!(Config::defaults().validate(), []);
    assert!(violations("", &[]).is_empty());
}

#[test]
fn the_default_file_mentions_every_setting_and_nothing_else() {
    let mentioned: Vec<String> = settings_in(DEFAULT_FILE);
    let unique: BTreeSet<_> = mentioned.iter().map(String::as_str).collect();
    assert_eq!(
        unique.len(),
        mentioned.len(),
        "a setting stands there twice"
    );
    assert_eq!(unique, Config::keys().collect());
}

#[test]
fn every_setting_of_the_default_file_is_explained() {
    let mut before = "";
    for line in DEFAULT_FILE.lines() {
        if is_setting(line) {
            assert!(before.starts_with("# "), "`{line}` has no comment above it");
        }
        before = line;
    }
}

#[test]
fn the_documentation_ends_with_the_default_file() {
    let page = include_str!("../../docs/configuration.md");
    assert!(
        page.ends_with(&format!("```toml\n{DEFAULT_FILE}```\n")),
        "copy src/config/default.toml into the last fence of docs/configuration.md"
    );
}

#[test]
fn the_doc_comments_state_the_true_defaults() {
    let sections = [
        ("http", include_str!("../../src/config/http.rs")),
        (
            "idempotency",
            include_str!("../../src/config/idempotency.rs"),
        ),
        ("hot", include_str!("../../src/config/hot.rs")),
        ("ledger", include_str!("../../src/config/ledger.rs")),
        ("log", include_str!("../../src/config/log.rs")),
    ];
    let entries = load_from("", &[], &[]).unwrap().entries();
    for (section, source) in sections {
        let fields = source.split("    pub ").collect::<Vec<_>>();
        let settings = fields.windows(2).filter_map(|it| {
            let name = it[1]
                .split(':')
                .next()
                .filter(|name| !name.contains([' ', '(']))?;
            let stated = it[0].rsplit_once("Default: `")?.1.split('`').next()?;
            Some((format!("{section}.{name}"), stated))
        });
        let stated: Vec<_> = settings.collect();
        let of_section = |key: &&str| key.split('.').next() == Some(section);
        assert_eq!(
            stated.len(),
            Config::keys().filter(of_section).count(),
            "{section}"
        );
        for (key, stated) in stated {
            let entry = entries.iter().find(|it| it.key == key).unwrap();
            let value = entry.value.to_string();
            assert!(
                stated == value || stated == value.trim_matches('"'),
                "{key}: {stated}"
            );
        }
    }
}

#[test]
fn a_stronger_layer_wins() {
    let file = "http_addr = '127.0.0.1:1'\nadmin_addr = '127.0.0.1:2'\n[ledger]\npool_size = 3";
    let variables = [
        ("ONCELY_ADMIN_ADDR", "127.0.0.1:4"),
        ("ONCELY_LEDGER__POOL_SIZE", "5"),
    ];
    let loaded = load_from(file, &variables, &[("ledger.pool_size", "6")]).unwrap();
    let config = &loaded.config;
    assert_eq!(config.http_addr.port(), 1);
    assert_eq!(config.admin_addr.port(), 4);
    assert_eq!(config.ledger.pool_size, 6);
    assert_eq!(config.hot.connections, 2);

    assert!(
        matches!(loaded.origin("http_addr"), Origin::File(path) if path.ends_with("oncely.toml"))
    );
    assert_eq!(
        loaded.origin("admin_addr").to_string(),
        "environment variable ONCELY_ADMIN_ADDR"
    );
    assert_eq!(
        loaded.origin("ledger.pool_size").to_string(),
        "flag --ledger.pool-size"
    );
    assert_eq!(loaded.origin("hot.connections"), &Origin::Default);
}

#[test]
fn a_file_with_one_setting_is_enough() {
    let config = load_from("[idempotency]\nretention = '30days'", &[], &[])
        .unwrap()
        .config;
    assert_eq!(config.idempotency.retention, Duration::from_hours(30 * 24));
    assert_eq!(config.idempotency.mismatch_status, 422);
}

#[test]
fn a_variable_takes_the_type_of_its_setting() {
    let variables = [
        ("ONCELY_DATABASE_URL", "postgres://localhost/x"),
        (
            "ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET",
            "12345678901234567890",
        ),
        (
            "ONCELY_IDEMPOTENCY__FINGERPRINT_SECRETS_PREVIOUS",
            "true, 7",
        ),
        (
            "ONCELY_IDEMPOTENCY__REPLAY_HEADERS",
            "x-request-id, x-trace",
        ),
        ("ONCELY_HOT__REPLAY_WHEN_LEDGER_DOWN", "true"),
        ("ONCELY_LEDGER__CLAIM", "insert_wait"),
        ("ONCELY_LEDGER__EPOCH_MAX_AGE", "1500ms"),
    ];
    let config = load_from("", &variables, &[]).unwrap().config;
    assert_eq!(
        config.database_url.unwrap().expose(),
        "postgres://localhost/x"
    );
    assert_eq!(
        config.idempotency.fingerprint_secret.expose(),
        "12345678901234567890"
    );
    let previous = config.idempotency.fingerprint_secrets_previous;
    assert_eq!(
        previous.iter().map(|it| it.expose()).collect::<Vec<_>>(),
        ["true", "7"]
    );
    assert_eq!(
        config.idempotency.replay_headers,
        ["x-request-id", "x-trace"]
    );
    assert!(config.hot.replay_when_ledger_down);
    assert_eq!(config.ledger.claim, Claim::InsertWait);
    assert_eq!(config.ledger.epoch_max_age, Duration::from_millis(1500));
}

#[test]
fn every_setting_has_a_variable() {
    for entry in load_from("", &[], &[]).unwrap().entries() {
        let value = match entry.value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(it) => it.to_string(),
            _ => continue,
        };
        let name = format!("ONCELY_{}", entry.key.to_uppercase().replace('.', "__"));
        let loaded = load_from("", &[(&name, &value)], &[]).unwrap();
        assert_eq!(loaded.origin(&entry.key), &Origin::Environment(name));
    }
}

#[test]
fn plain_tokens_of_the_environment_become_digests() {
    let variables = [(
        "ONCELY_AUTH_TOKENS",
        "demo:secret1,acme:secret:2,demo:other",
    )];
    let auth = load_from("", &variables, &[]).unwrap().config.auth;
    let tenant = |token| auth.tenant_of(token).map(|it| it.as_str());
    assert_eq!(tenant("secret1"), Some("demo"));
    assert_eq!(tenant("other"), Some("demo"));
    assert_eq!(tenant("secret:2"), Some("acme"));
    assert_eq!(tenant("secret"), None);
    assert_eq!(tenant(""), None);
}

#[test]
fn digests_of_the_file_open_the_door_for_their_token() {
    // From `printf %s secret1 | sha256sum`.
    let digest = "5b11618c2e44027877d0cd0921ed166b9f176f50587fc91e7534dd2946db77d6";
    let file = format!("[auth.tokens]\ndemo = ['{digest}']");
    let auth = load_from(&file, &[], &[]).unwrap().config.auth;
    assert_eq!(auth.tenant_of("secret1").unwrap().as_str(), "demo");
}

#[test]
fn variables_that_are_no_settings_are_ignored() {
    let variables = [
        ("ONCELY_CONFIG", "elsewhere.toml"),
        ("ONCELY_TEST_BACKEND", "local"),
        ("ONCELY_FAILPOINTS", "a=error"),
        ("ONCELY_SERVICE_HOST", "10.0.0.1"),
        ("ONCELY_SERVICE_PORT_HTTP", "8080"),
        ("ONCELY_PORT", "tcp://10.0.0.1:8080"),
        ("ONCELY_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("ONCELY_ADMIN_SERVICE_HOST", "10.0.0.1"),
        ("ONCELY_ADMIN_SERVICE_PORT", "9090"),
        ("ONCELY_ADMIN_PORT", "tcp://10.0.0.1:9090"),
        ("ONCELY_ADMIN_PORT_9090_TCP", "tcp://10.0.0.1:9090"),
        ("PATH", "/bin"),
        ("MY_ONCELY_NOTE", "x"),
    ];
    assert_eq!(complaints("", &variables), Vec::<String>::new());
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_valid_one() {
    let wrong = [
        (
            "[ledger]\npool_sise = 8",
            "unknown key `ledger.pool_sise` in oncely.toml; did you mean `ledger.pool_size`?",
        ),
        (
            "[hot]\npool_size = 8",
            "unknown key `hot.pool_size` in oncely.toml; did you mean `ledger.pool_size`?",
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
fn each_broken_rule_is_named() {
    // A setting, a value that breaks one rule, and the key that the rule is about.
    let wrong = [
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
    ];
    for (key, value, blamed) in wrong {
        let Err(Error::Invalid(violations)) = load_from("", &[], &[(key, value)]) else {
            panic!("{key} = {value} was accepted");
        };
        let [violation] = violations.as_slice() else {
            panic!("{key} = {value}: {violations:?}");
        };
        assert_eq!(violation.key, blamed);
        assert_eq!(violation.problem, Problem::Rule, "{violation}");
        assert!(
            violation.value.is_some() && violation.fix.is_some(),
            "{violation}"
        );
    }
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
        "hot.answer_limit_bytes",
        "idempotency.mismatch_status",
    ];
    for entry in load_from("", &[], &[]).unwrap().entries() {
        let zero = match &entry.value {
            serde_json::Value::Number(_) => "0",
            serde_json::Value::String(text) if humantime::parse_duration(text).is_ok() => "0s",
            _ => continue,
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

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let file = Some("no-such-folder/oncely.toml".into());
    let error = load(Sources {
        file,
        ..Sources::default()
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "read the configuration file no-such-folder/oncely.toml"
    );
    assert!(std::error::Error::source(&error).is_some());
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

    let file = "[idempotency]\nfingerprint_secret = 'short'\n[ledger]\nallow_unsafe_durability = true\n[hot]\nreplay_when_ledger_down = true";
    let warnings = load_from(file, &[], &[]).unwrap().config.warnings();
    let keys: Vec<_> = warnings.iter().map(|it| it.key).collect();
    assert_eq!(
        keys,
        [
            "idempotency.fingerprint_secret",
            "ledger.allow_unsafe_durability",
            "hot.replay_when_ledger_down",
        ]
    );
}

#[test]
fn a_secret_is_in_no_message_and_no_debug_form() {
    let url = format!("postgres://u:{CANARY}@db/x");
    let broken = [
        (format!("database_url = ['{url}']"), Vec::new()),
        (format!("databse_url = '{url}'"), Vec::new()),
        (format!("ledger = '{url}'"), Vec::new()),
        (format!("redis_url = '{CANARY}'"), Vec::new()),
        (format!("[auth]\ntokens = '{CANARY}'"), Vec::new()),
        (format!("[auth.tokens]\ndemo = ['{CANARY}']"), Vec::new()),
        (format!("[auth.tokens]\ndemo = '{CANARY}'"), Vec::new()),
        (
            format!("[idempotency]\nfingerprint_secret = ['{CANARY}']"),
            Vec::new(),
        ),
        (
            format!("[idempotency]\nfingerprint_secrets_previous = '{CANARY}'"),
            Vec::new(),
        ),
        (String::new(), vec![("ONCELY_AUTH_TOKENS", CANARY)]),
        (String::new(), vec![("ONCELY_AUTH_TOKEN", CANARY)]),
        (String::new(), vec![("ONCELY_DATABASE_URL", CANARY)]),
    ];
    for (file, variables) in broken {
        let error = load_from(&file, &variables, &[]).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains(CANARY),
            "{file}: {error}"
        );
    }

    let token = format!("demo:{CANARY}");
    let variables = [
        ("ONCELY_DATABASE_URL", url.as_str()),
        ("ONCELY_AUTH_TOKENS", &token),
        ("ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET", CANARY),
        ("ONCELY_IDEMPOTENCY__FINGERPRINT_SECRETS_PREVIOUS", CANARY),
    ];
    let loaded = load_from("", &variables, &[]).unwrap();
    let entries = loaded.entries();
    let json = serde_json::to_string(&loaded.config).unwrap();
    let shown = format!("{loaded:?} {entries:?} {json}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("postgres://u:***@db/x") && shown.contains(PLACEHOLDER));
}

#[test]
fn the_placeholder_of_a_printed_configuration_is_no_secret() {
    let said = complaints("[idempotency]\nfingerprint_secret = '[redacted]'", &[]);
    assert!(
        said.len() == 1 && said[0].contains("not the placeholder"),
        "{said:?}"
    );
}

/// The keys of a configuration file, those in commented-out assignments too.
fn settings_in(file: &str) -> Vec<String> {
    let mut section = String::new();
    let mut settings = Vec::new();
    for line in file.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if is_setting(line) {
            let name = line.trim_start_matches("# ").split(' ').next().unwrap();
            settings.push(format!("{section}{name}"));
        }
    }
    settings
}

fn is_setting(line: &str) -> bool {
    let assignment = line.strip_prefix("# ").unwrap_or(line);
    assignment
        .split_once(" = ")
        .is_some_and(|(name, _)| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'))
}
