//! Runs a command with a pair of servers around it: the binary `oncely-testkit`.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::Context;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::Pair;
use super::environment::{DATABASE_URL, REDIS_URL};
use crate::servers::LastWill;

/// Ends the command's process group if we are killed: softly, and then surely.
const END_GROUP: &str = "kill -TERM \"-$1\" && sleep 2; kill -KILL \"-$1\"";

/// Starts a pair, runs the command with the two URLs in its environment, stops the pair, and returns
/// the command's exit code, or 128 and the signal's number.
///
/// SIGINT and SIGTERM are passed on to the command, which is in a process group of its own, so that
/// its children hear of them too. What is left of that group when the command ends is killed.
pub async fn run(command: &[OsString]) -> anyhow::Result<u8> {
    let (program, arguments) = command
        .split_first()
        .context("nothing to run; usage: oncely-testkit run -- <command> [arguments]")?;
    // Before anything is started, so that a signal during the start cannot be lost.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let pair = tokio::select! {
        pair = Pair::start() => pair?,
        _ = interrupt.recv() => return Ok(exit_code_of(Signal::SIGINT)),
        _ = terminate.recv() => return Ok(exit_code_of(Signal::SIGTERM)),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env(DATABASE_URL, pair.postgres.url())
        .env(REDIS_URL, pair.redis.url())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {}", program.to_string_lossy()))?;
    let group = group_of(&child)?;
    let will = LastWill::write(END_GROUP, &[&group.to_string()])?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = interrupt.recv() => pass_on(group, Signal::SIGINT)?,
            _ = terminate.recv() => pass_on(group, Signal::SIGTERM)?,
        }
    };
    pass_on(group, Signal::SIGKILL)?;
    will.revoke();
    Ok(exit_code(status))
}

fn group_of(child: &Child) -> anyhow::Result<Pid> {
    let pid = child.id().context("the command ended at once")?;
    Ok(Pid::from_raw(i32::try_from(pid)?))
}

fn pass_on(group: Pid, signal: Signal) -> anyhow::Result<()> {
    match killpg(group, signal) {
        // Nobody is left, or (macOS) only zombies.
        Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("passing {signal} on to the command")),
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn exit_code_of(signal: Signal) -> u8 {
    u8::try_from(128 + signal as i32).unwrap_or(1)
}
