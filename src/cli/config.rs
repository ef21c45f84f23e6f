//! `oncely config`: shows the effective settings, and checks them.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::Settings;
use super::output::say;
use super::run::USAGE;
use crate::config::{Config, Entry, Error, Violation};

/// The commands about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every effective setting, secrets redacted
    Print {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        /// The form of the output
        #[arg(long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// Check the configuration and print everything that is wrong with it
    ///
    /// Exits with 0 where it is valid, warnings or not, and with 2 where it is not.
    Check {
        /// Also require what `oncely serve` requires: both URLs and a token
        #[arg(long)]
        serve: bool,
    },
}

/// The form of the output.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Form {
    /// A line for each setting, for people and grep
    Table,
    /// One object, as deep as the file; with origins one entry for each key
    Json,
    /// A configuration file
    Toml,
}

impl ConfigCommand {
    /// Runs the command.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        match self {
            Self::Print { origin, output } => {
                let entries = settings.load()?.entries();
                say(&match output {
                    Form::Table => table(&entries, origin)?,
                    Form::Json => json(&entries, origin)?,
                    Form::Toml => toml(&entries, origin)?,
                })?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Check { serve } => check(settings, serve),
        }
    }
}

fn check(settings: &Settings, serve: bool) -> Result<ExitCode> {
    let (violations, config) = match settings.load() {
        Ok(loaded) => (Vec::new(), Some(loaded.config)),
        Err(Error::Invalid(violations)) => (violations, None),
        Err(error @ Error::Read { .. }) => return Err(error.into()),
    };
    let missing = config
        .as_ref()
        .map_or_else(Vec::new, Config::required_for_serve);
    let warnings = config.as_ref().map_or_else(Vec::new, Config::warnings);

    let (mut wrong, mut text) = (violations, String::new());
    let mut notes: Vec<String> = Vec::new();
    if serve {
        wrong.extend(missing);
    } else {
        notes.extend(missing.iter().map(Violation::to_string));
    }
    notes.extend(warnings.iter().map(ToString::to_string));

    if wrong.is_empty() {
        text.push_str("configuration is valid\n");
    } else {
        text.push_str("configuration is not valid:\n");
    }
    for violation in &wrong {
        writeln!(text, "  {violation}")?;
    }
    for note in &notes {
        writeln!(text, "warning: {note}")?;
    }
    say(&text)?;
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    })
}

fn table(entries: &[Entry], with_origin: bool) -> Result<String> {
    let rows: Vec<_> = entries
        .iter()
        .map(|it| (&it.key, shown(&it.value)))
        .collect();
    let width = |it: Option<usize>| it.unwrap_or(0);
    let keys = width(rows.iter().map(|(key, _)| key.len()).max());
    let values = width(rows.iter().map(|(_, value)| value.chars().count()).max());
    let mut text = String::new();
    for ((key, value), entry) in rows.iter().zip(entries) {
        if with_origin {
            let origin = &entry.origin;
            writeln!(text, "{key:keys$}  {value:values$}  {origin}")?;
        } else {
            writeln!(text, "{key:keys$}  {value}")?;
        }
    }
    Ok(text)
}

fn json(entries: &[Entry], with_origin: bool) -> Result<String> {
    let mut tree = Map::new();
    for Entry { key, value, origin } in entries {
        if with_origin {
            let entry = json!({ "value": value, "origin": origin.to_string() });
            tree.insert(key.clone(), entry);
            continue;
        }
        let Some((section, name)) = key.split_once('.') else {
            tree.insert(key.clone(), value.clone());
            continue;
        };
        let section = tree.entry(section).or_insert_with(|| json!({}));
        if let Value::Object(section) = section {
            section.insert(name.to_owned(), value.clone());
        }
    }
    Ok(serde_json::to_string_pretty(&tree)? + "\n")
}

fn toml(entries: &[Entry], with_origin: bool) -> Result<String> {
    let mut text = String::new();
    let mut open = "";
    for Entry { key, value, origin } in entries {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        if section != open {
            writeln!(text, "\n[{section}]")?;
            open = section;
        }
        let origin = if with_origin {
            format!("  # {origin}")
        } else {
            String::new()
        };
        match toml_value(value) {
            Some(value) => writeln!(text, "{name} = {value}{origin}")?,
            None => writeln!(text, "# {name} is not set")?,
        }
    }
    Ok(text)
}

/// A value as TOML, whose lists and strings are those of JSON; `None` for null, which it has not.
fn toml_value(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Object(members) => {
            let members = members.iter().filter_map(|(name, value)| {
                let name = toml_value(&Value::from(name.as_str()))?;
                Some(format!("{name} = {}", toml_value(value)?))
            });
            let members: Vec<_> = members.collect();
            Some(if members.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", members.join(", "))
            })
        }
        // DEL is the one character that JSON writes as it is and TOML wants escaped.
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Some(value.to_string().replace('\u{7f}', "\\u007f"))
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(not set)".to_owned(),
        Value::String(text) if !text.is_empty() && !text.contains(char::is_control) => text.clone(),
        Value::Object(tenants) => tenants_shown(tenants),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value.to_string(),
    }
}

/// Tokens in a line: each tenant with the number of its tokens.
fn tenants_shown(tenants: &Map<String, Value>) -> String {
    if tenants.is_empty() {
        return "(not set)".to_owned();
    }
    let count = |tokens: &Value| tokens.as_array().map_or(0, Vec::len);
    let tenants = tenants
        .iter()
        .map(|(tenant, tokens)| format!("{tenant}: {} redacted", count(tokens)));
    tenants.collect::<Vec<_>>().join(", ")
}
