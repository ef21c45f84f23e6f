//! Runs the long explorations: `oncely-proof model` and `oncely-proof simulate`.
#![expect(clippy::print_stdout, reason = "it is a command")]

mod simulate;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["model", rest @ ..] => table::run(rest),
        ["simulate", rest @ ..] => simulate::run(rest),
        _ => {
            println!("usage: oncely-proof model [--states N] [--threads N]");
            println!("       oncely-proof simulate [--requests N] [--seed N]");
            ExitCode::from(2)
        }
    }
}
