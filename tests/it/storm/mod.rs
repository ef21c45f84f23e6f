//! `oncely storm`, the real binary: small storms that must pass, and broken stacks that must not.

mod given;
mod green;
mod interrupted;
mod refusals;
mod sabotage;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A storm that is over.
struct Storm {
    code: i32,
    out: String,
    complaints: String,
    report: PathBuf,
    _folder: TempDir,
}

impl Storm {
    /// Runs `oncely storm` with these arguments, and a report in a folder of its own.
    fn brew(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report");
        let output = oncely(folder.path())
            .arg("storm")
            .args(["--out", report.to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            complaints: String::from_utf8(output.stderr).unwrap(),
            report,
            _folder: folder,
        }
    }

    fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.report.join(name)).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.file("report.json")).unwrap()
    }

    /// The rules that were broken.
    fn rules(&self) -> Vec<String> {
        let json = self.json();
        let violations = json["violations"].as_array().unwrap().iter();
        let rules = violations.map(|it| it["rule"].as_str().unwrap().to_owned());
        rules.collect()
    }
}

/// The binary, without any `ONCELY_` variable. What it leaves behind is left in `folder`.
fn oncely(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oncely"));
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|it| it.to_string_lossy().starts_with("ONCELY_")) {
        command.env_remove(name);
    }
    command
        .env("TMPDIR", folder)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}
