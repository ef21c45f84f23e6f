//! What stops a local server from starting or obeying, with the fix where there is one.

use std::io;
use std::path::PathBuf;

/// A local server could not be started or did not obey.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A binary is not installed.
    #[error(
        "{binary} was not found in PATH or in the usual places; install it: \
         apt-get install {debian} / brew install {homebrew}"
    )]
    Missing {
        /// The program that was looked for.
        binary: &'static str,
        /// The Debian package that brings it.
        debian: &'static str,
        /// The Homebrew formula that brings it.
        homebrew: &'static str,
    },
    /// The current user is root, Postgres refuses root, and there is nobody else to run it as.
    #[error(
        "Postgres refuses to run as root, and neither user `postgres` nor `nobody` exists; \
         create one (useradd --system postgres) or run as a normal user"
    )]
    OnlyRoot,
    /// The operating system refused something.
    #[error("{what}")]
    Io {
        /// What we were doing.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The warden's process is gone, and its answers with it.
    #[error("the warden of the {server} server is gone; was it killed?")]
    WardenGone {
        /// `redis` or `postgres`.
        server: &'static str,
    },
    /// The warden could not do what it was told.
    #[error("{server}: {order} failed: {reason}")]
    Refused {
        /// `redis` or `postgres`.
        server: &'static str,
        /// The order.
        order: &'static str,
        /// The warden's words.
        reason: String,
    },
    /// The server ended instead of becoming ready.
    #[error("{server} ended while starting; the end of its log in {directory}:\n{log}")]
    Ended {
        /// `redis` or `postgres`.
        server: &'static str,
        /// Where its files were.
        directory: PathBuf,
        /// The last lines it wrote.
        log: String,
    },
    /// The server runs and is not ready after a long time.
    #[error("{server} was not ready after {seconds} s; the end of its log:\n{log}")]
    NotReady {
        /// `redis` or `postgres`.
        server: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// The last lines it wrote.
        log: String,
    },
    /// No port could be had.
    #[error("no free port was found on 127.0.0.1 between {first} and {last}")]
    NoPort {
        /// The first port that was considered.
        first: u16,
        /// The last port that was considered.
        last: u16,
    },
}

impl Error {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
