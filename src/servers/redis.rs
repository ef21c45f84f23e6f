//! A private Redis.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binaries::{REDIS_SERVER, find};
use super::server::Kind;
use super::warden::{Rules, Warden};
use super::{Error, Server};

/// A loaded machine may take this long to answer one line; the start asks again anyway.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// How a private Redis is started. By default it keeps nothing on disk.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// More arguments, such as `--appendonly yes` or `--maxmemory 3mb`, one word each.
    pub arguments: Vec<String>,
    /// Whether the directory stays when its owner ends.
    pub keep_directory: bool,
}

impl Options {
    /// Options with more arguments, one word each.
    pub fn with<const N: usize>(arguments: [&str; N]) -> Self {
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
            keep_directory: false,
        }
    }

    /// An append-only file that is flushed after each write, so that a kill loses nothing.
    pub fn durable() -> Self {
        Self::with(["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts the server and waits until it answers.
    pub fn start(&self) -> Result<Server, Error> {
        let kind = Redis {
            binary: find(REDIS_SERVER)?,
            arguments: self.arguments.clone(),
        };
        let warden = Warden::start(Rules {
            server: "redis",
            stop_signal: "TERM",
            end_signal: "TERM",
            keep_directory: self.keep_directory,
            refuses_root: false,
        })?;
        Server::start(Box::new(kind), warden)
    }
}

#[derive(Debug)]
struct Redis {
    binary: PathBuf,
    arguments: Vec<String>,
}

impl Kind for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn command_line(&self, directory: &Path, port: u16) -> Vec<String> {
        let directory = directory.to_string_lossy();
        let mut words = vec![self.binary.to_string_lossy().into_owned()];
        let port = port.to_string();
        // A minimal machine may lack IPv6, and a private server must not be reachable from outside.
        let ours = ["--port", &port, "--bind", "127.0.0.1", "--dir", &directory];
        words.extend(ours.map(str::to_owned));
        words.extend(["--save", "", "--daemonize", "no"].map(str::to_owned));
        words.extend(self.arguments.iter().cloned());
        words
    }

    fn is_ready(&self, _directory: &Path, address: SocketAddr, pid: u32) -> bool {
        let Ok(answer) = ask(address) else {
            return false;
        };
        // With a password set, Redis tells nothing of itself; then it is at least up.
        answer.starts_with("-NOAUTH")
            || (answer.contains(&format!("\r\nprocess_id:{pid}\r\n"))
                && answer.contains("\r\nloading:0\r\n"))
    }

    fn url(&self, address: SocketAddr) -> String {
        format!("redis://{address}/")
    }
}

/// Asks for `INFO` in Redis's inline form and reads until the server hangs up.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(b"INFO\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
