//! The layers above the defaults: what a file, the environment and flags set.

use std::ffi::OsString;
use std::path::Path;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Value};

use super::auth::parse_plain;
use super::{Flag, Origin, Problem, Violation, keys};

/// One layer: what it sets, and what in it can't be read.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) settings: Vec<Setting>,
    pub(super) violations: Vec<Violation>,
}

/// One value of one layer.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) key: &'static str,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Reads the text of a configuration file.
pub(super) fn of_file(path: &Path, text: &str) -> Layer {
    let mut layer = Layer::default();
    let origin = Origin::File(path.to_owned());
    let tree: Dict = match Toml::from_str(text) {
        Ok(tree) => tree,
        Err(error) => {
            // Only the parser's message: its full text quotes the line, which may hold a secret.
            let line = error.span().map_or(1, |it| {
                1 + text.get(..it.start).unwrap_or("").matches('\n').count()
            });
            let reason = error.message().lines().collect::<Vec<_>>().join(", ");
            layer.unreadable("no TOML at", format!("line {line}"), origin, Some(reason));
            return layer;
        }
    };
    for (name, value) in tree {
        if !keys::is_section(&name) {
            layer.set(&name, value, &origin);
        } else if let Value::Dict(_, section) = value {
            for (field, value) in section {
                layer.set(&format!("{name}.{field}"), value, &origin);
            }
        } else {
            // Not shown: whatever stands there may be a secret.
            let fix = Some(format!("it is a section, write `[{name}]`"));
            layer.unreadable("unknown key", name, origin.clone(), fix);
        }
    }
    layer
}

/// Reads the `ONCELY_*` variables among `variables`.
pub(super) fn of_environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Layer {
    let mut layer = Layer::default();
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|it| it.starts_with("ONCELY_")) else {
            continue;
        };
        if is_no_setting(name, &value.to_string_lossy()) {
            continue;
        }
        let origin = Origin::Environment(name.to_owned());
        let Some(key) = keys::key_of_variable(name) else {
            let fix = keys::nearest_variable(name).map_or_else(
                || "docs/configuration.md says how variables are spelled".to_owned(),
                |it| format!("did you mean `{it}`?"),
            );
            let what = "unknown environment variable";
            layer.unreadable(what, name.to_owned(), origin, Some(fix));
            continue;
        };
        match value.to_str() {
            Some(text) => layer.set_text(key, text, origin),
            None => layer.violations.push(Violation {
                key: key.to_owned(),
                value: None,
                origin: Some(origin),
                problem: Problem::Type,
                rule: "must be UTF-8".to_owned(),
                fix: None,
            }),
        }
    }
    layer
}

/// Reads flags.
pub(super) fn of_flags(flags: Vec<Flag>) -> Layer {
    let mut layer = Layer::default();
    for flag in flags {
        let origin = Origin::Flag(flag.name);
        match keys::find(&flag.key) {
            Some(key) => layer.set_text(key, &flag.value, origin),
            None => layer.unknown(&flag.key, origin),
        }
    }
    layer
}

/// Whether a variable is for tests, names the file, or was put there by Kubernetes.
///
/// Kubernetes describes every service of the namespace in variables. A service named `oncely`
/// gives `ONCELY_SERVICE_HOST` and `ONCELY_PORT_8080_TCP_ADDR`; one named `oncely-admin` gives
/// `ONCELY_ADMIN_SERVICE_HOST` and `ONCELY_ADMIN_PORT=tcp://10.0.0.1:9090`.
fn is_no_setting(name: &str, value: &str) -> bool {
    let name = name.trim_start_matches("ONCELY");
    let is_address = |it: &str| {
        ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|p| it.starts_with(p))
    };
    let is_port = name
        .split_once("_PORT_")
        .is_some_and(|(_, rest)| rest.starts_with(|it: char| it.is_ascii_digit()));
    name == "_CONFIG"
        || name == "_FAILPOINTS"
        || name.starts_with("_TEST_")
        || name.starts_with("_SERVICE_")
        || name.starts_with("_PORT")
        || name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || is_port
        || (name.ends_with("_PORT") && is_address(value))
}

impl Layer {
    fn set(&mut self, key: &str, value: Value, origin: &Origin) {
        let origin = origin.clone();
        match keys::find(key) {
            Some(key) => self.settings.push(Setting { key, value, origin }),
            None => self.unknown(key, origin),
        }
    }

    /// Sets a key from text, whose type is that of the key's default.
    fn set_text(&mut self, key: &'static str, text: &str, origin: Origin) {
        match typed(key, text) {
            Ok(value) => self.settings.push(Setting { key, value, origin }),
            Err(reason) => self.violations.push(Violation {
                key: key.to_owned(),
                value: None,
                origin: Some(origin),
                problem: Problem::Type,
                rule: format!("must be `tenant:token,tenant:token`, but {reason}"),
                fix: None,
            }),
        }
    }

    fn unknown(&mut self, key: &str, origin: Origin) {
        let fix = keys::nearest_key(key).map_or_else(
            || "`oncely config print` lists all keys".to_owned(),
            |it| format!("did you mean `{it}`?"),
        );
        self.unreadable("unknown key", key.to_owned(), origin, Some(fix));
    }

    fn unreadable(&mut self, what: &str, key: String, origin: Origin, fix: Option<String>) {
        self.violations.push(Violation {
            key,
            value: None,
            origin: Some(origin),
            problem: Problem::Unreadable,
            rule: what.to_owned(),
            fix,
        });
    }
}

/// Reads text as the type of a key. What does not fit stays text, and the type check names it.
fn typed(key: &str, text: &str) -> Result<Value, String> {
    if key == keys::AUTH_TOKENS {
        return parse_plain(text).map(Value::from);
    }
    Ok(match keys::default_of(key) {
        Some(Value::Num(..)) => text
            .parse::<i64>()
            .map_or_else(|_| text.into(), Value::from),
        Some(Value::Bool(..)) => text
            .parse::<bool>()
            .map_or_else(|_| text.into(), Value::from),
        Some(Value::Array(..)) => {
            let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
            Value::from(parts.collect::<Vec<_>>())
        }
        Some(Value::String(..) | Value::Char(..) | Value::Empty(..) | Value::Dict(..)) | None => {
            text.into()
        }
    })
}
