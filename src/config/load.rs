//! Loads the settings: lays the layers over the defaults and checks all that came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::value::{Dict, Value};

use super::layers::{self, Layer, Setting};
use super::{Config, Error, Origin, PLACEHOLDER, Problem, Violation, defaults, keys};

/// The file that is read from the working directory where no other is named.
const FILE: &str = "oncely.toml";

/// The longest value that a message shows; the rest of a longer one says nothing new.
const SHOWN_MAX: usize = 80;

/// What settings are made of, beside the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The configuration file; named, it has to be there.
    pub file: Option<PathBuf>,
    /// The environment. Variables that do not begin with `ONCELY_` are ignored.
    pub environment: Vec<(OsString, OsString)>,
    /// The flags. The last of several for one key wins.
    pub flags: Vec<Flag>,
}

/// A setting from the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag's name, as a message shows it: `--http-addr`.
    pub name: String,
    /// The setting's key: `http_addr`.
    pub key: String,
    /// The value, as text.
    pub value: String,
}

/// Settings that keep every rule.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    origins: BTreeMap<&'static str, Origin>,
}

/// The list of fail points for this process, in builds that have them. It is no setting.
pub fn fail_points() -> Option<String> {
    let sources = Sources::of_process(None, Vec::new());
    let list = sources.variable("ONCELY_FAILPOINTS")?;
    Some(list.to_string_lossy().into_owned())
}

impl Sources {
    /// The environment of this process, `flags`, and a file: the named one, else that of
    /// `ONCELY_CONFIG`, else `oncely.toml` in the working directory, where there is one.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        let environment: Vec<_> = std::env::vars_os().collect();
        let mut sources = Self {
            file,
            environment,
            flags,
        };
        let named = || sources.variable("ONCELY_CONFIG").map(PathBuf::from);
        let usual = || Some(PathBuf::from(FILE)).filter(|it| it.exists());
        sources.file = sources.file.clone().or_else(named).or_else(usual);
        sources
    }

    /// A variable that is no setting, such as `ONCELY_FAILPOINTS`.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let mut variables = self.environment.iter();
        variables
            .find(|(it, _)| it == OsStr::new(name))
            .map(|(_, value)| value.as_os_str())
    }
}

impl Loaded {
    /// Where a setting's value comes from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }
}

/// Loads the settings, or says all that is wrong with them.
pub fn load(sources: Sources) -> Result<Loaded, Error> {
    let mut read = Vec::new();
    if let Some(path) = &sources.file {
        read.push(layers::of_file(path, &text_of(path)?));
    }
    read.push(layers::of_environment(sources.environment));
    read.push(layers::of_flags(sources.flags));

    let mut violations = Vec::new();
    let mut tree = defaults::tree().clone();
    let mut origins = BTreeMap::new();
    let mut broken = BTreeSet::new();
    for Layer {
        settings,
        violations: unreadable,
    } in read
    {
        // What a layer meant is unknown, so a rule about it would blame a value nobody wrote.
        broken.extend(unreadable.iter().map(|it| it.key.clone()));
        violations.extend(unreadable);
        for setting in settings {
            if let Some(violation) = check_type(&setting) {
                broken.insert(setting.key.to_owned());
                violations.push(violation);
                continue;
            }
            put(&mut tree, setting.key, setting.value);
            origins.insert(setting.key, setting.origin);
        }
    }

    let config: Config = Value::from(tree)
        .deserialize()
        .expect("invariant: every value was checked by itself");
    let loaded = Loaded { config, origins };
    for broken_rule in loaded.config.check() {
        if broken_rule.keys.iter().any(|it| broken.contains(*it)) {
            continue;
        }
        let mut violation = broken_rule.violation;
        violation.origin = Some(loaded.origin(&violation.key).clone());
        // The other side of a relation may be the one that somebody set.
        if let Some(other) = broken_rule.keys.get(1) {
            let origin = loaded.origin(other);
            violation.rule = format!("{} ({origin})", violation.rule);
        }
        violations.push(violation);
    }
    if violations.is_empty() {
        Ok(loaded)
    } else {
        Err(Error::Invalid(violations))
    }
}

fn text_of(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// Tries one value on top of the defaults: every value is checked, not only up to the first error.
fn check_type(setting: &Setting) -> Option<Violation> {
    let mut tree = defaults::tree().clone();
    put(&mut tree, setting.key, setting.value.clone());
    let error = Value::from(tree).deserialize::<Config>().err()?;
    Some(Violation {
        key: setting.key.to_owned(),
        value: Some(shown(setting)),
        origin: Some(setting.origin.clone()),
        problem: Problem::Type,
        rule: format!("must be {}", expected(&error.kind)),
        fix: None,
    })
}

fn put(tree: &mut Dict, key: &str, value: Value) {
    let Some((section, name)) = key.split_once('.') else {
        tree.insert(key.to_owned(), value);
        return;
    };
    let section = tree
        .entry(section.to_owned())
        .or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, section) = section {
        section.insert(name.to_owned(), value);
    }
}

fn shown(setting: &Setting) -> String {
    if keys::is_secret(setting.key) {
        return PLACEHOLDER.to_owned();
    }
    if let Value::Dict(..) = setting.value {
        return "(a table or a date)".to_owned();
    }
    let json = serde_json::to_string(&setting.value).unwrap_or_default();
    if json.chars().count() <= SHOWN_MAX {
        return json;
    }
    let begin: String = json.chars().take(SHOWN_MAX).collect();
    format!("{begin} (and so on)")
}

/// What a type asked for, in words that need no Rust. Never the value: it may be a secret.
fn expected(kind: &Kind) -> String {
    if let Kind::UnknownVariant(_, names) = kind {
        return format!("one of: {}", names.join(", "));
    }
    let (Kind::InvalidType(_, expected)
    | Kind::InvalidValue(_, expected)
    | Kind::InvalidLength(_, expected)
    | Kind::Message(expected)) = kind
    else {
        return "of another type".to_owned();
    };
    match expected.as_str() {
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "usize" => "a whole number that is not negative".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "a text".to_owned(),
        "a sequence" => "a list of texts".to_owned(),
        "a map" => "a table of tenants and lists of digests".to_owned(),
        it if it.contains("socket address") => {
            "an IP address and a port, such as \"127.0.0.1:8080\"".to_owned()
        }
        other => other.to_owned(),
    }
}
