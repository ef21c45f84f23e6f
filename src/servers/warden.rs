//! Our end of the pipe to a warden, the shell script that holds one server.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::unistd::{User, geteuid};

use super::Error;

const SCRIPT: &str = include_str!("warden.sh");

/// How a kind of server is ended, and what happens to its directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// `redis` or `postgres`.
    pub(super) server: &'static str,
    /// Ends the server in an orderly way.
    pub(super) stop_signal: &'static str,
    /// Ends the server quickly, when its data are thrown away.
    pub(super) end_signal: &'static str,
    /// Whether the directory stays when its owner ends.
    pub(super) keep_directory: bool,
    /// Whether the server refuses to run as root.
    pub(super) refuses_root: bool,
}

/// A running warden. Dropping it ends the server and removes the directory.
#[derive(Debug)]
pub(super) struct Warden {
    rules: Rules,
    process: Child,
    /// Taken when the orders end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    directory: PathBuf,
}

impl Warden {
    pub(super) fn start(rules: Rules) -> Result<Self, Error> {
        let mut command = command(rules)?;
        let mut process = command
            .spawn()
            .map_err(Error::io("cannot start `sh`, which watches a local server"))?;
        let orders = process.stdin.take();
        let answers = process
            .stdout
            .take()
            .expect("invariant: the output is piped");
        let mut warden = Self {
            rules,
            process,
            orders,
            answers: BufReader::new(answers),
            directory: PathBuf::new(),
        };
        warden.directory = PathBuf::from(warden.answer("start")?);
        Ok(warden)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs a program to its end; false where it failed.
    pub(super) fn run(&mut self, words: &[String]) -> Result<bool, Error> {
        self.send("run", words)?;
        Ok(self.answer("run")? == "done 0")
    }

    /// Starts the server and tells its process id.
    pub(super) fn start_server(&mut self, words: &[String]) -> Result<u32, Error> {
        self.send("start", words)?;
        let answer = self.answer("start")?;
        answer
            .strip_prefix("pid ")
            .and_then(|pid| pid.parse().ok())
            .ok_or_else(|| self.refused("start", answer))
    }

    pub(super) fn is_alive(&mut self) -> Result<bool, Error> {
        self.send("alive", &[])?;
        Ok(self.answer("alive")? == "yes")
    }

    /// Gives an order without arguments: `kill`, `pause`, `resume` or `stop`.
    pub(super) fn order(&mut self, order: &'static str) -> Result<(), Error> {
        self.send(order, &[])?;
        match self.answer(order)? {
            answer if answer == "ok" => Ok(()),
            answer => Err(self.refused(order, answer)),
        }
    }

    fn send(&mut self, order: &'static str, words: &[String]) -> Result<(), Error> {
        let mut text = format!("{order} {}\n", words.len());
        for word in words {
            if word.contains('\n') {
                return Err(self.refused(order, format!("{word:?} has more than one line")));
            }
            text.push_str(word);
            text.push('\n');
        }
        let gone = self.gone();
        self.orders
            .as_mut()
            .and_then(|orders| orders.write_all(text.as_bytes()).ok())
            .ok_or(gone)
    }

    fn answer(&mut self, order: &'static str) -> Result<String, Error> {
        let mut line = String::new();
        let n_bytes = self
            .answers
            .read_line(&mut line)
            .map_err(Error::io("cannot read the warden's answer"))?;
        if n_bytes == 0 {
            return Err(self.gone());
        }
        let line = line.trim_end().to_owned();
        match line.strip_prefix("error ") {
            Some(reason) => Err(self.refused(order, reason.to_owned())),
            None => Ok(line),
        }
    }

    fn gone(&self) -> Error {
        Error::WardenGone {
            server: self.rules.server,
        }
    }

    fn refused(&self, order: &'static str, reason: String) -> Error {
        Error::Refused {
            server: self.rules.server,
            order,
            reason,
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.orders.take());
        // The script's own patience bounds this wait. An error means that it is gone already.
        self.process.wait().ok();
    }
}

fn command(rules: Rules) -> Result<Command, Error> {
    let mut command = Command::new("sh");
    let mut base = env::temp_dir();
    if rules.refuses_root && geteuid().is_root() {
        let user = somebody_else()?;
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        // Root's TMPDIR may be closed to others.
        base = PathBuf::from("/tmp");
    }
    let keep = if rules.keep_directory {
        "keep"
    } else {
        "remove"
    };
    command
        // In the environment rather than in the arguments, so that `ps` stays readable.
        .args(["-c", "eval \"$ONCELY_SCRIPT\"", "oncely-warden"])
        .arg(base)
        .args([rules.server, rules.stop_signal, rules.end_signal, keep])
        // The caller's settings (`PGPORT`, `PGOPTIONS`, …) must not reach a private server.
        .env_clear()
        .env("ONCELY_SCRIPT", SCRIPT)
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        // macOS: without a locale, Postgres becomes multithreaded at the start and gives up.
        .env("LC_ALL", "C")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Ok(command)
}

fn somebody_else() -> Result<User, Error> {
    for name in ["postgres", "nobody"] {
        let user = User::from_name(name)
            .map_err(io::Error::from)
            .map_err(Error::io(format!("cannot look up the user `{name}`")))?;
        if let Some(user) = user {
            return Ok(user);
        }
    }
    Err(Error::OnlyRoot)
}
