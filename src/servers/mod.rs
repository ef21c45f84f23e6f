//! Private Redis and Postgres servers as local processes that outlive neither us nor our mistakes.
//!
//! `oncely dev`, `oncely storm` and the testkit stand on this room. It finds the installed binaries, starts a
//! server on a free loopback port with a temporary directory, and can kill, pause and start it
//! again on the same port with the same data.
//!
//! # Nothing is left
//!
//! A destructor does not run when a process is killed, and neither does one in a `static`. So each
//! server lives under a *warden*, a small shell script (`warden.sh`) in a process group of its own,
//! which makes the directory, starts the server and then waits for orders on a pipe whose other end
//! only we hold. When we end, for whatever reason, SIGKILL included, the kernel closes the pipe; the
//! warden reads its end, stops the server and removes the directory. Ctrl-C reaches the terminal's
//! foreground group only, so neither the server nor its warden hears of it before we do.
//!
//! ```text
//!   us ── orders ──▶ warden (sh, own process group) ── parent of ──▶ server ──▶ its children
//!      ◀─ answers ──        └─ end of orders: stop the server, remove the directory
//! ```
//!
//! # What this does not promise
//!
//! A warden that is itself killed by SIGKILL cannot clean up. Nobody but a person or a machine that
//! is out of memory does that.
//!
//! # For development and tests only
//!
//! A private server listens on loopback without a password (`initdb -A trust`). Other accounts on a
//! shared machine can reach it while it runs, with all that its account may do.
//!
//! # Blocking
//!
//! All calls block: a few milliseconds each, up to seconds for a start or a stop. From async code
//! use `tokio::task::spawn_blocking`; dropping a [`Server`] is safe everywhere.

mod binaries;
mod error;
mod port;
mod server;
mod warden;
mod will;

pub mod postgres;
pub mod program;
pub mod prometheus;
pub mod redis;

pub use binaries::{check_installed, psql};
pub use error::Error;
pub use port::free_port;
pub use server::Server;
pub use will::LastWill;
