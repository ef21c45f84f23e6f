//! The default file: complete, explained, true, and the end of the documentation.

use std::collections::BTreeSet;

use oncely::config::{Config, DEFAULT_FILE};

use super::{load_from, violations};

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
    let page = include_str!("../../../docs/configuration.md");
    assert!(
        page.ends_with(&format!("```toml\n{DEFAULT_FILE}```\n")),
        "copy src/config/default.toml into the last fence of docs/configuration.md"
    );
}

#[test]
fn the_doc_comments_state_the_true_defaults() {
    let sections = [
        ("http", include_str!("../../../src/config/http.rs")),
        (
            "idempotency",
            include_str!("../../../src/config/idempotency.rs"),
        ),
        ("hot", include_str!("../../../src/config/hot.rs")),
        ("ledger", include_str!("../../../src/config/ledger.rs")),
        ("log", include_str!("../../../src/config/log.rs")),
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
