//! Any other program that serves HTTP, such as a process of our own binary.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::server::Kind;
use super::warden::{Rules, Warden};
use super::{Error, Server};

/// A loaded machine may take this long to answer; the start asks again anyway.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// How a program is started. Its environment is empty but for PATH.
#[derive(Debug, Clone)]
pub struct Options {
    /// What messages and its directory call it.
    pub name: &'static str,
    /// The program and its arguments; `{port}` in a word is where it has to listen.
    pub words: Vec<String>,
    /// What it answers with 200 once it serves, such as `/livez`.
    pub ready_path: &'static str,
}

impl Options {
    /// Starts the program and waits until it answers.
    pub fn start(&self) -> Result<Server, Error> {
        let warden = Warden::start(Rules {
            server: self.name,
            stop_signal: "TERM",
            end_signal: "KILL",
            keep_directory: false,
            refuses_root: false,
        })?;
        Server::start(Box::new(Program(self.clone())), warden)
    }
}

#[derive(Debug)]
struct Program(Options);

impl Kind for Program {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn command_line(&self, _directory: &Path, port: u16) -> Vec<String> {
        let port = port.to_string();
        let words = self.0.words.iter();
        words.map(|it| it.replace("{port}", &port)).collect()
    }

    fn is_ready(&self, _directory: &Path, address: SocketAddr, _pid: u32) -> bool {
        // Somebody else on this port would have kept the program from starting, which shows.
        get(address, self.0.ready_path).is_ok_and(|it| it.starts_with("HTTP/1.1 200"))
    }

    fn url(&self, address: SocketAddr) -> String {
        format!("http://{address}")
    }
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
