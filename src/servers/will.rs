//! Words that are carried out when this process ends without having taken them back.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::Error;

/// Waits for the end of its input. The line `void` before that end takes the will back.
const SCRIPT: &str = "trap '' HUP INT QUIT TERM; will=$1; shift; \
                      while read -r word; do [ \"$word\" != void ] || exit 0; done; eval \"$will\"";

/// A shell script that runs when we end for any reason, SIGKILL included, or when this is dropped.
///
/// The mechanism is the warden's: a `sh` in a process group of its own waits at a pipe of which
/// only we have the other end.
#[derive(Debug)]
pub struct LastWill {
    executor: Child,
}

impl LastWill {
    /// Writes a will. The script finds `arguments` in `$1`, `$2` and so on.
    pub fn write(script: &str, arguments: &[&str]) -> Result<Self, Error> {
        let executor = Command::new("sh")
            .args(["-c", SCRIPT, "oncely-will", script])
            .args(arguments)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io("cannot start `sh`, which cleans up after us"))?;
        Ok(Self { executor })
    }

    /// Takes the will back: nothing runs.
    pub fn revoke(mut self) {
        if let Some(mut words) = self.executor.stdin.take() {
            // Where the executor is gone there is nothing to take back.
            words.write_all(b"void\n").ok();
        }
    }
}

impl Drop for LastWill {
    fn drop(&mut self) {
        drop(self.executor.stdin.take());
        // An error means that the executor is gone already.
        self.executor.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_will_is_carried_out_and_a_revoked_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (one, other) = (path("it's one"), path("other"));
        drop(LastWill::write("echo > \"$1\"", &[&one]).unwrap());
        LastWill::write("echo > \"$1\"", &[&other])
            .unwrap()
            .revoke();
        assert!(std::fs::exists(one).unwrap());
        assert!(!std::fs::exists(other).unwrap());
    }
}
