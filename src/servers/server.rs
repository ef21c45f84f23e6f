//! One running local server and what can be done to it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::warden::Warden;
use super::{Error, free_port};

/// How often a start looks for a port: each round fails only if somebody took it in between.
const PORT_TRIES: u32 = 10;
/// Between two looks at a server that is starting. Redis needs about 20 ms, Postgres about 100 ms.
const POLL: Duration = Duration::from_millis(10);
/// A recovery after a kill may replay a large log; a slow machine starts Postgres in 5 s.
const READY_SECONDS: u64 = 60;
/// How much of its log an error shows.
const LOG_LINES: usize = 15;

/// What differs between kinds of servers.
pub(super) trait Kind: std::fmt::Debug + Send + Sync {
    /// `redis` or `postgres`.
    fn name(&self) -> &'static str;
    /// The command line on a port.
    fn command_line(&self, directory: &Path, port: u16) -> Vec<String>;
    /// Whether the process `pid` itself, not some other listener, answers on `address`.
    fn is_ready(&self, directory: &Path, address: SocketAddr, pid: u32) -> bool;
    /// The URL of a server on `address`.
    fn url(&self, address: SocketAddr) -> String;
}

/// A private Redis or Postgres server. Dropping it stops it and removes its directory.
///
/// All methods block for milliseconds; [`Server::restart`] and [`Server::stop`] may take seconds.
#[derive(Debug)]
pub struct Server {
    kind: Box<dyn Kind>,
    address: SocketAddr,
    directory: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    warden: Warden,
    /// None while the server is down.
    pid: Option<u32>,
}

impl Server {
    /// Starts a server on a free port under a warden that has prepared the directory.
    pub(super) fn start(kind: Box<dyn Kind>, warden: Warden) -> Result<Self, Error> {
        let directory = warden.directory().to_owned();
        let mut held = Held { warden, pid: None };
        let mut tries = 1;
        let address = loop {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
            match held.start(kind.as_ref(), &directory, address) {
                Ok(()) => break address,
                Err(Error::Ended { log, .. }) if tries < PORT_TRIES && is_port_taken(&log) => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Self {
            kind,
            address,
            directory,
            held: Mutex::new(held),
        })
    }

    /// The URL with which clients connect; it stays the same for the server's whole life.
    pub fn url(&self) -> String {
        self.kind.url(self.address)
    }

    /// Where the server listens; it stays the same for the server's whole life.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's process, for Postgres the postmaster; none while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.held().pid
    }

    /// The directory with data and logs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The last lines that the server wrote.
    pub fn log(&self) -> String {
        log_tail(&self.directory)
    }

    /// Kills the server and all its children by SIGKILL, and returns when they are gone.
    pub fn kill(&self) -> Result<(), Error> {
        let mut held = self.held();
        held.pid = None;
        held.warden.order("kill")
    }

    /// Freezes the server and all its children by SIGSTOP: connections open and nothing answers.
    pub fn pause(&self) -> Result<(), Error> {
        self.held().warden.order("pause")
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<(), Error> {
        self.held().warden.order("resume")
    }

    /// Stops the server in an orderly way; its data stay for [`Server::restart`].
    pub fn stop(&self) -> Result<(), Error> {
        let mut held = self.held();
        held.pid = None;
        held.warden.order("stop")
    }

    /// Starts the server again on the same port with the same data; one that runs is stopped first.
    pub fn restart(&self) -> Result<(), Error> {
        let mut held = self.held();
        held.pid = None;
        held.warden.order("stop")?;
        held.start(self.kind.as_ref(), &self.directory, self.address)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn start(
        &mut self,
        kind: &dyn Kind,
        directory: &Path,
        address: SocketAddr,
    ) -> Result<(), Error> {
        let words = kind.command_line(directory, address.port());
        let pid = self.warden.start_server(&words)?;
        // Counted rather than timed, because a test may have stopped tokio's clock.
        let polls = Duration::from_secs(READY_SECONDS).as_millis() / POLL.as_millis();
        for _ in 0..polls {
            if kind.is_ready(directory, address, pid) {
                self.pid = Some(pid);
                return Ok(());
            }
            if !self.warden.is_alive()? {
                self.warden.order("kill")?;
                return Err(Error::Ended {
                    server: kind.name(),
                    directory: directory.to_owned(),
                    log: log_tail(directory),
                });
            }
            thread::sleep(POLL);
        }
        self.warden.order("kill")?;
        Err(Error::NotReady {
            server: kind.name(),
            seconds: READY_SECONDS,
            log: log_tail(directory),
        })
    }
}

fn log_tail(directory: &Path) -> String {
    let text = match fs::read(directory.join("server.log")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(the log cannot be read: {error})"),
    };
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(LOG_LINES);
    lines.get(start..).unwrap_or_default().join("\n")
}

/// Redis says "Address already in use", Postgres says it in its own words around the same.
fn is_port_taken(log: &str) -> bool {
    log.contains("Address already in use") || log.contains("address already in use")
}
