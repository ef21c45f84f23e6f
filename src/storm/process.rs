//! Signals to processes that somebody else started and allowed us to hit.

use std::io;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends SIGKILL.
pub(super) fn end(pid: Pid) -> io::Result<()> {
    Ok(kill(pid, Signal::SIGKILL)?)
}

/// Sends SIGSTOP.
pub(super) fn pause(pid: Pid) -> io::Result<()> {
    Ok(kill(pid, Signal::SIGSTOP)?)
}

/// Sends SIGCONT.
pub(super) fn resume(pid: Pid) -> io::Result<()> {
    Ok(kill(pid, Signal::SIGCONT)?)
}
