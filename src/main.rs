//! The `oncely` binary: parses, runs, and sets the exit code.

use std::process::ExitCode;

use clap::Parser as _;
use oncely::cli;

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}
