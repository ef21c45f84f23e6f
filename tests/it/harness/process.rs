//! The real binary as a child process, with everything it says.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Caller;

/// A machine under load starts the binary, and its private servers, in a few seconds.
const PATIENCE: Duration = Duration::from_secs(40);

/// A child. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    out: watch::Receiver<String>,
    complaints: Arc<Mutex<String>>,
    readers: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts the binary in an empty folder, with no other `ONCELY_` variables than `variables`.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_oncely"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ONCELY_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(arguments)
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (tell, out) = watch::channel(String::new());
        let complaints = Arc::new(Mutex::new(String::new()));
        let mut readers = JoinSet::new();
        readers.spawn(read(child.stdout.take().unwrap(), move |text| {
            tell.send_modify(|it| it.push_str(text));
        }));
        let heard = Arc::clone(&complaints);
        readers.spawn(read(child.stderr.take().unwrap(), move |text| {
            heard.lock().unwrap().push_str(text);
        }));
        Self {
            child,
            out,
            complaints,
            readers,
            _folder: folder,
        }
    }

    /// Starts `oncely serve` on free ports, with the token `demo-token` of tenant `demo`.
    pub(crate) fn serve(database_url: &str, redis_url: &str, variables: &[(&str, &str)]) -> Self {
        let ours = [
            ("ONCELY_DATABASE_URL", database_url),
            ("ONCELY_REDIS_URL", redis_url),
            ("ONCELY_HTTP_ADDR", "127.0.0.1:0"),
            ("ONCELY_ADMIN_ADDR", "127.0.0.1:0"),
            ("ONCELY_AUTH_TOKENS", "demo:demo-token"),
            (
                "ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET",
                "a secret of the tests' own",
            ),
        ];
        let variables: Vec<_> = ours.into_iter().chain(variables.iter().copied()).collect();
        Self::start(&["serve"], &variables)
    }

    /// Waits until it has printed `words`, and returns all that it has printed.
    pub(crate) async fn says(&mut self, words: &str) -> String {
        let heard = self.out.wait_for(|it| it.contains(words));
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        let text = heard.ok().and_then(|it| it.ok().map(|it| it.clone()));
        text.unwrap_or_else(|| panic!("it never said {words:?}: {}", self.complaints()))
    }

    /// Waits until it serves, and returns its address; `None` where it ends before that.
    pub(crate) async fn serves_or_ends(&mut self) -> Option<String> {
        let heard = self.out.wait_for(|it| it.contains("(admin http://"));
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        let is_heard = heard.expect("it serves or ends").is_ok();
        if is_heard {
            Some(self.serves().await.0)
        } else {
            None
        }
    }

    /// Waits until it serves, and returns the addresses of API and admin as URLs.
    pub(crate) async fn serves(&mut self) -> (String, String) {
        let text = self.says("(admin http://").await;
        let line = text.lines().find(|it| it.contains("serves")).unwrap();
        let mut urls = line
            .split([' ', ',', '(', ')'])
            .filter(|it| it.contains("://"));
        let mut next = || urls.next().unwrap().to_owned();
        (next(), next())
    }

    /// Waits until it does what it was started for, with or without an API, and returns the address
    /// of its admin port as a URL.
    pub(crate) async fn works(&mut self) -> String {
        let text = self.says("(admin http://").await;
        let from = text.find("(admin http://").unwrap() + "(admin ".len();
        text[from..].split(')').next().unwrap().to_owned()
    }

    /// Waits until it serves, and returns somebody who calls it.
    pub(crate) async fn caller(&mut self) -> Caller {
        Caller::new(&self.serves().await.0, "demo-token")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Waits for its end; returns how it ended, its output and its complaints.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("it ends").unwrap();
        while self.readers.join_next().await.is_some() {}
        let out = self.out.borrow().clone();
        (status, out, self.complaints())
    }

    /// What it has written to standard error so far.
    pub(crate) fn complaints(&self) -> String {
        self.complaints.lock().unwrap().clone()
    }
}

async fn read(mut pipe: impl AsyncRead + Unpin, hear: impl Fn(&str)) {
    let mut piece = [0; 4096];
    while let Ok(n_bytes @ 1..) = pipe.read(&mut piece).await {
        hear(&String::from_utf8_lossy(&piece[..n_bytes]));
    }
}
