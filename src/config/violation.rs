//! What is wrong with the settings, said so that it can be put right at once.

use std::fmt;

use super::Origin;

/// One thing that is wrong. No secret is ever in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The setting's key, such as `ledger.pool_size`; or what was written in place of one.
    pub key: String,
    /// The value, as it is shown; `None` where there is none or it must not be seen.
    pub value: Option<String>,
    /// Where the value comes from, where that is known.
    pub origin: Option<Origin>,
    /// In what way it is wrong.
    pub problem: Problem,
    /// The rule, as it goes on after the key: `must be at least 1`.
    pub rule: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// In what way something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// There is no such key, variable or file format.
    Unreadable,
    /// The value is of another type.
    Type,
    /// The value breaks a rule, alone or together with others.
    Rule,
    /// A value is needed, and there is none.
    Missing,
}

/// Something that is allowed and still worth a thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The setting's key.
    pub key: &'static str,
    /// What may come of it.
    pub risk: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

impl Violation {
    pub(super) fn of_rule(key: &str, value: impl fmt::Display, rule: String, fix: String) -> Self {
        Self {
            key: key.to_owned(),
            value: Some(value.to_string()),
            origin: None,
            problem: Problem::Rule,
            rule,
            fix: Some(fix),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::Unreadable => {
                write!(f, "{} `{}`", self.rule, self.key)?;
                match &self.origin {
                    Some(Origin::File(path)) => write!(f, " in {}", path.display())?,
                    Some(Origin::Flag(name)) => write!(f, " in {name}")?,
                    // The variable's name is the key, and a default is always known.
                    Some(Origin::Environment(_) | Origin::Default) | None => (),
                }
            }
            Problem::Type | Problem::Rule | Problem::Missing => {
                write!(f, "`{}`", self.key)?;
                if let Some(value) = &self.value {
                    write!(f, " = {value}")?;
                }
                if let Some(origin) = &self.origin {
                    write!(f, " ({origin})")?;
                }
                write!(f, " {}", self.rule)?;
            }
        }
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}; {}", self.key, self.risk, self.fix)
    }
}
