//! What was found: checks with a level, in sections, and the exit code that they come to.

use std::process::ExitCode;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// It works, and will cost somebody a night.
    Warning,
    /// Do not serve like this.
    Error,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// A stable name.
    #[serde(rename = "check")]
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// What was found.
    pub(super) found: String,
    /// The next step.
    pub(super) hint: Option<String>,
    /// Where the runbook says more.
    pub(super) runbook: Option<String>,
}

/// What was found about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: &'static str,
    /// Where it is, without secrets.
    pub(super) place: Option<String>,
    pub(super) checks: Vec<Check>,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) sections: Vec<Section>,
}

impl Check {
    pub(super) fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self::of(name, Level::Good, found.into(), None)
    }

    pub(super) fn warning(
        name: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::of(name, Level::Warning, found.into(), Some(hint.into()))
    }

    pub(super) fn error(
        name: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::of(name, Level::Error, found.into(), Some(hint.into()))
    }

    /// With the section of the runbook that says more; only where something is wrong.
    pub(super) fn see(mut self, anchor: &str) -> Self {
        if self.level != Level::Good {
            self.runbook = Some(format!("runbook.md#{anchor}"));
        }
        self
    }

    fn of(name: &'static str, level: Level, found: String, hint: Option<String>) -> Self {
        Self {
            name,
            level,
            found,
            hint,
            runbook: None,
        }
    }
}

impl Report {
    /// How many checks have this level.
    pub(super) fn count(&self, level: Level) -> usize {
        let checks = self.sections.iter().flat_map(|it| &it.checks);
        checks.filter(|it| it.level == level).count()
    }

    /// The worst level; good where nothing was looked at.
    pub(super) fn verdict(&self) -> Level {
        let checks = self.sections.iter().flat_map(|it| &it.checks);
        checks.map(|it| it.level).max().unwrap_or(Level::Good)
    }

    /// 0 all good, 1 warnings, 2 errors: a public contract.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.verdict() {
            Level::Good => 0,
            Level::Warning => 1,
            Level::Error => 2,
        })
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |it| it.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
