//! Runs the runbook's commands as they are printed, in the shell of whoever was woken.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::runbook::{Block, Kind, Section};

/// A command that looks or mends is done within this; one that hangs is ended after it.
const PATIENCE: Duration = Duration::from_secs(30);
/// And one that may hang is given up sooner.
const HANGS: Duration = Duration::from_secs(3);

/// A shell with its variables.
#[derive(Debug, Clone, Default)]
pub(super) struct Shell {
    pub(super) variables: BTreeMap<&'static str, String>,
}

impl Shell {
    /// Sets a variable, such as `ID`, as the page says.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.insert(name, value.into());
    }

    /// Runs those commands of a section that look and whose variables are set, and returns what they say.
    pub(super) async fn look(&self, section: &Section) -> String {
        let mut said = String::new();
        for block in section.all(Kind::Check).filter(|it| self.knows(it)) {
            said.push_str(&self.run(block).await);
        }
        said
    }

    /// Runs those that could not be run before `name` was set.
    pub(super) async fn look_with(
        &mut self,
        section: &Section,
        name: &'static str,
        value: String,
    ) -> String {
        let before = self.clone();
        self.set(name, value);
        let mut said = String::new();
        let new = section.all(Kind::Check).filter(|it| !before.knows(it));
        for block in new.filter(|it| self.knows(it)) {
            said.push_str(&self.run(block).await);
        }
        said
    }

    /// Fails where a command of the section that looks could not be run for want of a variable.
    pub(super) fn has_run_all(&self, section: &Section) {
        let left = section.all(Kind::Check).find(|it| !self.knows(it));
        assert!(left.is_none(), "{}: never run: {left:?}", section.title);
    }

    /// Runs the commands of a section that mend.
    pub(super) async fn fix(&self, section: &Section) -> String {
        let mut said = String::new();
        for block in section.all(Kind::Fix) {
            assert!(self.knows(block), "{}", block.text);
            said.push_str(&self.run(block).await);
        }
        assert!(!said.is_empty(), "{} has no fix", section.title);
        said
    }

    /// Runs one block, and returns it with all that it says, as a terminal shows it.
    pub(super) async fn run(&self, block: &Block) -> String {
        let mut command = Command::new("sh");
        command
            .args([
                "-euc",
                &format!("PATH=\"{}:$PATH\"\n{}", programs(), block.text),
            ])
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let patience = if block.may_hang { HANGS } else { PATIENCE };
        let said = match timeout(patience, command.output()).await {
            Ok(ran) => {
                let ran = ran.unwrap();
                let said = [ran.stdout, ran.stderr].concat();
                let said = String::from_utf8_lossy(&said).into_owned();
                let code = ran.status.code();
                let is_found = !matches!(code, Some(126 | 127));
                let is_fine = block.may_fail || code == Some(0);
                assert!(is_found && is_fine, "{}\n{code:?}: {said}", block.text);
                said
            }
            Err(_elapsed) if block.may_hang => "^C\n".to_owned(),
            Err(elapsed) => panic!("it hangs, {elapsed}: {}", block.text),
        };
        format!("$ {}\n{said}\n", block.text)
    }

    /// Whether each variable of the block is set.
    fn knows(&self, block: &Block) -> bool {
        variables_of(&block.text).all(|it| self.variables.contains_key(it))
    }
}

/// The variables that a command names.
pub(super) fn variables_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|it| {
        let end = it.find(|c: char| !c.is_ascii_uppercase() && c != '_');
        Some(&it[..end.unwrap_or(it.len())]).filter(|it| !it.is_empty())
    })
}

/// What an operator has in PATH beside the usual: our binary, and Postgres' programs.
fn programs() -> String {
    let ours = Path::new(env!("CARGO_BIN_EXE_oncely")).parent().unwrap();
    let psql = oncely::servers::psql().unwrap();
    let psql = psql.parent().unwrap();
    format!("{}:{}", ours.display(), psql.display())
}
