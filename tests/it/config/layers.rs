//! What wins, and how each layer is read.

use std::time::Duration;

use oncely::config::{Auth, Claim, Origin, Secret, Sources, TokenDigest, load};

use super::{complaints, load_from};

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
        previous.iter().map(Secret::expose).collect::<Vec<_>>(),
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
        if entry.value.is_null() || entry.value.is_array() || entry.value.is_object() {
            continue;
        }
        let value = entry.value.to_string().replace('"', "");
        let name = format!("ONCELY_{}", entry.key.to_uppercase().replace('.', "__"));
        let loaded = load_from("", &[(&name, &value)], &[]).unwrap();
        assert_eq!(loaded.origin(&entry.key), &Origin::Environment(name));
    }
}

fn tenant_of<'a>(auth: &'a Auth, token: &str) -> Option<&'a str> {
    let digest = TokenDigest::of(token);
    let mut tenants = auth.tokens.iter();
    tenants
        .find(|(_, digests)| digests.contains(&digest))
        .map(|(tenant, _)| tenant.as_str())
}

#[test]
fn plain_tokens_of_the_environment_become_digests() {
    let variables = [(
        "ONCELY_AUTH_TOKENS",
        "demo:secret1,acme:secret:2,demo:other",
    )];
    let auth = load_from("", &variables, &[]).unwrap().config.auth;
    let tenant = |token| tenant_of(&auth, token);
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
    assert_eq!(tenant_of(&auth, "secret1"), Some("demo"));
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

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;

    let value = std::ffi::OsString::from_vec(vec![b'i', 0xff]);
    let environment = vec![("ONCELY_LOG__FILTER".into(), value)];
    let sources = Sources {
        environment,
        ..Sources::default()
    };
    let said = load(sources).unwrap_err().to_string();
    let expected = "`log.filter` (environment variable ONCELY_LOG__FILTER) must be UTF-8";
    assert!(said.contains(expected), "{said}");
}
