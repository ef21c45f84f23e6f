//! Runs a command and turns its end into an exit code.

use std::process::ExitCode;

use super::output::complain;
use super::{Arguments, Command};
use crate::config;

/// The exit code for wrong usage or a wrong configuration; clap uses it for wrong usage too.
pub(super) const USAGE: u8 = 2;

/// Runs a command: 0 fine, 1 failed, 2 usage or configuration.
pub fn run(arguments: Arguments) -> ExitCode {
    let Arguments { settings, command } = arguments;
    let done = match command {
        Command::Dev(command) => command.run(&settings),
        Command::Serve(command) => command.run(&settings),
        Command::Relay(command) => command.run(&settings),
        Command::Consume(command) => command.run(&settings),
        Command::Outbox(command) => command.run(&settings),
        Command::Dlq(command) => command.run(&settings),
        Command::Migrate(command) => command.run(&settings),
        Command::Doctor(command) => command.run(&settings),
        Command::Ledger(command) => command.run(&settings),
        Command::Key(command) => command.run(&settings),
        Command::Effects(command) => command.run(&settings),
        Command::Prune(command) => command.run(&settings),
        Command::Openapi(command) => command.run(),
        Command::Storm(command) => command.run(&settings),
        Command::Healthcheck(command) => command.run(&settings),
        Command::Config(command) => command.run(&settings),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("error: {error:#}\n"));
        if error.downcast_ref::<config::Error>().is_some() {
            ExitCode::from(USAGE)
        } else {
            ExitCode::FAILURE
        }
    })
}
