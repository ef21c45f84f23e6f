//! Secrets stay out of messages, debug forms and printed settings.

use oncely::config::PLACEHOLDER;

use super::{CANARY, complaints, load_from};

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

#[test]
fn a_malformed_file_is_refused_without_quoting_it() {
    let malformed = [
        "database_url = canary-7f3a",
        "database_url = \"canary-7f3a",
        "database_url = 'a' canary-7f3a",
        "database_url = \"\\canary-7f3a\"",
        "[auth.tokens\ndemo = ['canary-7f3a']",
        "database_url = 1canary-7f3a",
        "database_url = { canary-7f3a }",
    ];
    for file in malformed {
        let error = load_from(file, &[], &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        assert!(error.to_string().contains("no TOML at `line 1`"), "{error}");
    }
}
