//! The names of all settings, in the file's and in the environment's spelling.

use std::sync::LazyLock;

use figment::value::{Dict, Value};

use super::Config;

/// The settings whose values never stand in a message.
const SECRET: [&str; 8] = [
    "database_url",
    "redis_url",
    "broker.url",
    "processor.url",
    "tax.url",
    AUTH_TOKENS,
    "idempotency.fingerprint_secret",
    "idempotency.fingerprint_secrets_previous",
];

/// The one setting whose variable is not spelled by the rule.
pub(super) const AUTH_TOKENS: &str = "auth.tokens";

/// How like a name has to be to be proposed, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;

/// Every key with its default value, secrets redacted, in the order of the file's sections.
static KEYS: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| leaves(&dict(Config::defaults())));

impl Config {
    /// The keys of all settings: `http_addr`, `ledger.pool_size` and so on.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        KEYS.iter().map(|(key, _)| key.as_str())
    }
}

/// The settings as a tree, secrets redacted.
pub(super) fn dict(config: &Config) -> Dict {
    match Value::serialize(config) {
        Ok(Value::Dict(_, dict)) => dict,
        other => unreachable!("invariant: settings are a tree, not {other:?}"),
    }
}

/// A tree's values with their dotted keys: first those of the top level, then each section's.
pub(super) fn leaves(tree: &Dict) -> Vec<(String, Value)> {
    let (sections, top): (Vec<_>, Vec<_>) = tree
        .iter()
        .partition(|(_, value)| matches!(value, Value::Dict(..)));
    let mut leaves: Vec<_> = top
        .into_iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (section, value) in sections {
        for (name, value) in value.as_dict().into_iter().flatten() {
            leaves.push((format!("{section}.{name}"), value.clone()));
        }
    }
    leaves
}

/// The key itself, where there is such a setting.
pub(super) fn find(key: &str) -> Option<&'static str> {
    Config::keys().find(|known| *known == key)
}

/// The default of a setting, which shows its type; `None` where there is no such setting.
pub(super) fn default_of(key: &str) -> Option<&'static Value> {
    KEYS.iter()
        .find(|(known, _)| known == key)
        .map(|(_, value)| value)
}

pub(super) fn is_section(name: &str) -> bool {
    Config::keys().any(|key| key.split_once('.').is_some_and(|(it, _)| it == name))
}

pub(super) fn is_secret(key: &str) -> bool {
    SECRET.contains(&key)
}

/// The name of a setting's environment variable.
pub(super) fn variable_of(key: &str) -> String {
    if key == AUTH_TOKENS {
        return "ONCELY_AUTH_TOKENS".to_owned();
    }
    format!("ONCELY_{}", key.to_uppercase().replace('.', "__"))
}

/// The key that an environment variable sets.
pub(super) fn key_of_variable(name: &str) -> Option<&'static str> {
    Config::keys().find(|key| variable_of(key) == name)
}

/// The key that was probably meant by `wrong`, be it misspelled or in the wrong section.
pub(super) fn nearest_key(wrong: &str) -> Option<String> {
    let sections = Config::keys().filter_map(|key| key.split_once('.').map(|(it, _)| it));
    let names = Config::keys().chain(sections);
    let whole = nearest(wrong, names.map(ToOwned::to_owned));
    whole.or_else(|| {
        let name_of = |key: &str| key.rsplit('.').next().map(ToOwned::to_owned);
        let name = name_of(wrong)?;
        let meant = nearest(&name, Config::keys().filter_map(name_of))?;
        Config::keys()
            .find(|key| name_of(key).as_ref() == Some(&meant))
            .map(ToOwned::to_owned)
    })
}

/// The variable that was probably meant by `wrong`.
pub(super) fn nearest_variable(wrong: &str) -> Option<String> {
    // The prefix is in every name: left in, it would make all names alike.
    let bare = |name: &str| name.trim_start_matches("ONCELY_").to_owned();
    let names = Config::keys().map(|key| bare(&variable_of(key)));
    nearest(&bare(&wrong.to_uppercase()), names).map(|it| format!("ONCELY_{it}"))
}

fn nearest(wrong: &str, names: impl Iterator<Item = String>) -> Option<String> {
    names
        .map(|name| (strsim::normalized_damerau_levenshtein(wrong, &name), name))
        .filter(|(likeness, _)| LIKENESS_MIN <= *likeness)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
