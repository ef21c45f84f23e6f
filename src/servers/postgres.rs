//! A private Postgres.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binaries::{POSTGRES, find};
use super::server::Kind;
use super::warden::{Rules, Warden};
use super::{Error, Server};

/// A loaded machine may take this long to accept a connection; the start asks again anyway.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// What an acknowledged commit is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// On disk: Postgres's own defaults, `fsync` and `synchronous_commit` on.
    #[default]
    On,
    /// In memory: several times faster, and a kill may lose or corrupt data. Only for tests that
    /// never kill the server.
    Off,
}

impl Durability {
    /// The settings that make it so.
    pub fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::On => &[("fsync", "on"), ("synchronous_commit", "on")],
            Self::Off => &[
                ("fsync", "off"),
                ("synchronous_commit", "off"),
                ("full_page_writes", "off"),
            ],
        }
    }
}

/// How a private Postgres is started. By default it is durable.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What an acknowledged commit is worth.
    pub durability: Durability,
    /// More settings, such as `("max_connections", "300")`; they overrule all others.
    pub settings: Vec<(String, String)>,
    /// The URL of a running server to be a standby of: its data are copied, and it is followed
    /// through this very URL.
    pub standby_of: Option<String>,
    /// Whether the directory stays when its owner ends.
    pub keep_directory: bool,
}

impl Options {
    /// Durable, with more settings.
    pub fn with<const N: usize>(settings: [(&str, &str); N]) -> Self {
        Self {
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            ..Self::default()
        }
    }

    /// The server's `-c` arguments.
    pub fn arguments(&self) -> Vec<String> {
        let durability = self.durability.settings().iter();
        let ours = durability.map(|(name, value)| format!("{name}={value}"));
        let theirs = self.settings.iter();
        ours.chain(theirs.map(|(name, value)| format!("{name}={value}")))
            .flat_map(|setting| ["-c".to_owned(), setting])
            .collect()
    }

    /// Creates a cluster, starts the server and waits until it answers.
    pub fn start(&self) -> Result<Server, Error> {
        // A link's target has `initdb` and the libraries of the same version beside it.
        let binary = find(POSTGRES)?;
        let kind = Postgres {
            binary: fs::canonicalize(&binary).unwrap_or(binary),
            arguments: self.arguments(),
        };
        let mut warden = Warden::start(Rules {
            server: "postgres",
            stop_signal: "INT",
            end_signal: "QUIT",
            keep_directory: self.keep_directory,
            refuses_root: true,
        })?;
        match &self.standby_of {
            None => create_cluster(&kind.binary, &mut warden)?,
            Some(primary) => copy_cluster(&kind.binary, primary, &mut warden)?,
        }
        Server::start(Box::new(kind), warden)
    }
}

/// Runs `initdb`, with C.UTF-8 where the system has it and C elsewhere (macOS before 13).
fn create_cluster(postgres: &Path, warden: &mut Warden) -> Result<(), Error> {
    let data = warden.directory().join("data");
    for locale in ["C.UTF-8", "C"] {
        let mut words: Vec<String> = vec![
            postgres.with_file_name("initdb").to_string_lossy().into(),
            "-D".to_owned(),
            data.to_string_lossy().into(),
        ];
        let fixed = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
        words.extend(fixed.map(str::to_owned));
        words.push(format!("--locale={locale}"));
        if warden.run(&words)? {
            return Ok(());
        }
    }
    Err(refused("initdb", warden))
}

/// Runs `pg_basebackup`, which also writes down whom to follow.
fn copy_cluster(postgres: &Path, primary: &str, warden: &mut Warden) -> Result<(), Error> {
    let data = warden.directory().join("data");
    let binary = postgres.with_file_name("pg_basebackup");
    let words = [
        binary.to_string_lossy().as_ref(),
        "-D",
        data.to_string_lossy().as_ref(),
        "-d",
        primary,
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--no-sync",
    ]
    .map(str::to_owned);
    if warden.run(&words)? {
        return Ok(());
    }
    Err(refused("pg_basebackup", warden))
}

fn refused(order: &'static str, warden: &Warden) -> Error {
    let log = fs::read_to_string(warden.directory().join("run.log")).unwrap_or_default();
    Error::Refused {
        server: "postgres",
        order,
        reason: log,
    }
}

#[derive(Debug)]
struct Postgres {
    binary: PathBuf,
    arguments: Vec<String>,
}

impl Kind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn command_line(&self, directory: &Path, port: u16) -> Vec<String> {
        let mut words = vec![
            self.binary.to_string_lossy().into_owned(),
            "-D".to_owned(),
            directory.join("data").to_string_lossy().into_owned(),
            "-p".to_owned(),
            port.to_string(),
        ];
        let fixed = [
            "listen_addresses=127.0.0.1",
            // A socket's path must be short, and temporary directories need not be.
            "unix_socket_directories=",
            // Shared memory in files of the data directory is removed together with it.
            "dynamic_shared_memory_type=mmap",
        ];
        words.extend(
            fixed
                .iter()
                .flat_map(|it| ["-c".to_owned(), (*it).to_owned()]),
        );
        words.extend(self.arguments.iter().cloned());
        words
    }

    fn is_ready(&self, directory: &Path, address: SocketAddr, pid: u32) -> bool {
        let Ok(text) = fs::read_to_string(directory.join("data/postmaster.pid")) else {
            return false;
        };
        says_ready(&text, pid) && TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
    }

    fn url(&self, address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/postgres")
    }
}

/// Reads `postmaster.pid`: the first line is the process, the eighth its status. A standby that takes
/// readers calls itself just that. A file that a killed server left names the old process.
fn says_ready(text: &str, pid: u32) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str())
        && matches!(lines.nth(6), Some("ready" | "standby"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_of_a_killed_server_is_not_ready() {
        let text = "12\n/data\n1700000000\n15432\n\n127.0.0.1\n  1 2\nready   \n";
        assert!(says_ready(text, 12));
        assert!(!says_ready(text, 13));
        assert!(says_ready(&text.replace("ready", "standby"), 12));
        assert!(!says_ready(&text.replace("ready", "starting"), 12));
        assert!(!says_ready("", 12));
    }

    #[test]
    fn later_settings_overrule_earlier_ones() {
        let options = Options::with([("fsync", "off")]);
        let arguments = options.arguments();
        assert_eq!(arguments.last().unwrap(), "fsync=off");
        assert_eq!(arguments[1], "fsync=on");
    }
}
