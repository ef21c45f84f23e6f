//! A redis-server of one test: on a port of its own, killed when dropped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oncely::config::Secret;
use redis::aio::MultiplexedConnection;

/// A Redis that can be killed, paused and started again on the same port.
pub(super) struct Redis {
    port: u16,
    child: Option<Child>,
    extra: Vec<String>,
    folder: tempfile::TempDir,
}

impl Redis {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(super) async fn start_with(extra: &[&str]) -> Self {
        let mut redis = Self::absent();
        redis.extra = extra.iter().map(|it| (*it).to_owned()).collect();
        redis.restart().await;
        redis
    }

    /// A port where nobody answers, until [`Redis::restart`].
    pub(super) fn absent() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        Self {
            port: listener.local_addr().unwrap().port(),
            child: None,
            extra: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) async fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.extra)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.child = Some(child);
        let answers = async {
            while self.try_connect().await.is_err() {
                // A server that is just starting gives no other sign than to answer.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), answers)
            .await
            .expect("redis-server answers");
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it like a machine that hangs: connections stay open and nothing answers.
    pub(super) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    pub(super) fn url(&self) -> Secret {
        format!("redis://127.0.0.1:{}/", self.port).into()
    }

    /// A connection of the test's own.
    pub(super) async fn connect(&self) -> MultiplexedConnection {
        self.try_connect().await.unwrap()
    }

    /// Asks over a connection of the test's own: words are separated by blanks.
    pub(super) async fn ask<T: redis::FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        words.for_each(|it| {
            command.arg(it);
        });
        command
            .query_async(&mut self.connect().await)
            .await
            .unwrap()
    }

    async fn try_connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(("127.0.0.1", self.port))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await?;
        Ok(connection)
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
