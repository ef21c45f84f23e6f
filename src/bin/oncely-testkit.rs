//! Starts a Redis and a Postgres around a test command; `oncely::testkit` tells how.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "\
Starts a Redis and a Postgres, runs a command with their URLs, and stops them.

usage: oncely-testkit run -- <command> [arguments]

The command finds the URLs in ONCELY_TEST_DATABASE_URL and ONCELY_TEST_REDIS_URL. Where these are set
already, they are used. ONCELY_TEST_BACKEND chooses where servers come from: docker, local or auto.
It does not read the terminal: the command runs in a process group of its own.
";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let command = match arguments.as_slice() {
        [verb, dashes, command @ ..] if verb == "run" && dashes == "--" => command,
        [verb, command @ ..] if verb == "run" => command,
        [help] if help == "--help" || help == "-h" || help == "help" => {
            return say(&mut std::io::stdout(), USAGE, 0);
        }
        _ => &[],
    };
    if command.is_empty() {
        return say(&mut std::io::stderr(), USAGE, 2);
    }
    match oncely::testkit::run(command).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => say(
            &mut std::io::stderr(),
            &format!("oncely-testkit: {error:#}\n"),
            1,
        ),
    }
}

fn say(to: &mut dyn Write, words: &str, code: u8) -> ExitCode {
    // Where nobody listens, the exit code still tells.
    to.write_all(words.as_bytes()).ok();
    ExitCode::from(code)
}
