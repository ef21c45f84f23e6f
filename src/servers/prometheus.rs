//! A private Prometheus, for drills: it scrapes what it is told to and judges the alerts.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binaries::{Binary, find};
use super::server::Kind;
use super::warden::{Rules, Warden};
use super::{Error, Server};

const PROMETHEUS: Binary = Binary {
    name: "prometheus",
    debian: "prometheus",
    homebrew: "prometheus",
};

const PROMTOOL: Binary = Binary {
    name: "promtool",
    ..PROMETHEUS
};

/// A loaded machine may take this long to answer; the start asks again anyway.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// How a private Prometheus is started: with the files of its directory, `prometheus.yml` among them.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Each file's name and text.
    pub files: Vec<(&'static str, String)>,
}

impl Options {
    /// Starts the server and waits until it answers.
    pub fn start(&self) -> Result<Server, Error> {
        let binary = find(PROMETHEUS)?;
        let warden = Warden::start(Rules {
            server: "prometheus",
            stop_signal: "TERM",
            end_signal: "KILL",
            keep_directory: false,
            refuses_root: false,
        })?;
        for (name, text) in &self.files {
            let path = warden.directory().join(name);
            fs::write(path, text).map_err(Error::io(format!("cannot write {name}")))?;
        }
        Server::start(Box::new(Prometheus { binary }), warden)
    }
}

/// The `promtool` that came with Prometheus.
pub fn promtool() -> Result<PathBuf, Error> {
    find(PROMTOOL)
}

#[derive(Debug)]
struct Prometheus {
    binary: PathBuf,
}

impl Kind for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn command_line(&self, directory: &Path, port: u16) -> Vec<String> {
        let at = |name: &str| directory.join(name).to_string_lossy().into_owned();
        vec![
            self.binary.to_string_lossy().into_owned(),
            format!("--config.file={}", at("prometheus.yml")),
            format!("--storage.tsdb.path={}", at("data")),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=warn".to_owned(),
        ]
    }

    fn is_ready(&self, _directory: &Path, address: SocketAddr, _pid: u32) -> bool {
        ask(address).is_ok_and(|it| it.starts_with("HTTP/1.1 200"))
    }

    fn url(&self, address: SocketAddr) -> String {
        format!("http://{address}")
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
