//! The binary as an operator meets it: output, exit codes, help.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const CANARY: &str = "canary-7f3a";

/// The binary in an empty folder, without any `ONCELY_` variable and without a terminal.
fn oncely(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oncely"));
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|it| it.to_string_lossy().starts_with("ONCELY_")) {
        command.env_remove(name);
    }
    command
        .env_remove("COLUMNS")
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

fn run(
    arguments: &[&str],
    variables: &[(&str, &str)],
    file: Option<&str>,
) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(file) = file {
        std::fs::write(folder.path().join("oncely.toml"), file).unwrap();
    }
    let mut command = oncely(folder.path());
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn help_explains_the_commands_and_what_wins() {
    let (code, help, complaints) = run(&["--help"], &[], None);
    assert_eq!((code, complaints.as_str()), (0, ""));
    insta::assert_snapshot!(help, @r"
    Makes payment APIs effectively-once: a Redis hot path in front of a Postgres ledger

    Usage: oncely [OPTIONS] <COMMAND>

    Commands:
      dev          Start private servers, migrate, serve, and print lines to paste; Ctrl-C removes all
                   of it
      serve        Serve the API, relay events and act on them, on a database and a Redis that are there
      relay        Publish events, as a process of its own
      consume      Act on events, as a process of its own
      migrate      Bring the database to this binary's schema
      doctor       Look whether servers and settings keep the promise
      ledger       Look after the ledger as a whole
      key          Look at single keys, and settle by hand what nobody else can know
      outbox       Look at events on their way to the broker
      dlq          Look at dead letters, redrive or discard them
      effects      Look whether operations and their effects agree
      prune        Delete records past their retention now, batch by batch
      storm        Place orders while servers are killed, and show that each took effect once
      healthcheck  Ask a running process whether it is ready
      openapi      Print the OpenAPI 3.1 document of the API
      config       Show or check the configuration
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Settings (each wins over the environment and the file):
          --config <PATH>         Configuration file [default: `ONCELY_CONFIG`, else ./oncely.toml where
                                  there is one]
          --database-url <URL>    Postgres; a password shows in `ps`, so prefer `ONCELY_DATABASE_URL`
          --redis-url <URL>       Redis; a password shows in `ps`, so prefer `ONCELY_REDIS_URL`
          --http-addr <ADDRESS>   Address of the API; port 0 takes a free one [env: `ONCELY_HTTP_ADDR`]
          --admin-addr <ADDRESS>  Address of health and metrics, without credentials [env:
                                  `ONCELY_ADMIN_ADDR`]
          --set <KEY=VALUE>       Any other setting, such as `ledger.pool_size=8`; may come several
                                  times

    Settings, strongest first: flags, ONCELY_* environment variables, the configuration file, defaults.
    `oncely config print --origin` shows every setting and where it comes from.
    Exit codes: 0 fine, 1 failed, 2 usage or configuration.
    ");
}

#[test]
fn no_command_and_an_unknown_one_are_wrong_usage() {
    for arguments in [&[][..], &["confg"], &["config", "print", "--output", "xml"]] {
        let (code, out, complaints) = run(arguments, &[], None);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(complaints.contains("--help"), "{complaints}");
    }
}

#[test]
fn a_valid_configuration_is_called_so() {
    let (code, out, _) = run(&["config", "check"], &[], None);
    assert_eq!(code, 0);
    assert!(out.starts_with("configuration is valid\n"), "{out}");
    assert!(out.contains("warning: `database_url` is not set"), "{out}");
    assert!(out.contains("openssl rand -hex 32"), "{out}");
}

#[test]
fn what_serve_requires_can_be_demanded() {
    let (code, out, _) = run(&["config", "check", "--serve"], &[], None);
    assert_eq!(code, 2);
    assert!(out.contains("\n  `redis_url` is not set"), "{out}");
}

#[test]
fn every_violation_is_printed_and_the_exit_code_says_so() {
    let file = "[ledger]\npool_sise = 8\nepoch_interval = '2s'\n";
    for (arguments, on_stdout) in [(["config", "check"], true), (["config", "print"], false)] {
        let (code, out, complaints) = run(&arguments, &[("ONCELY_HTTP_ADR", "x")], Some(file));
        assert_eq!(code, 2);
        let said = if on_stdout { out } else { complaints };
        for part in [
            "`ledger.pool_size`?",
            "`ledger.epoch_interval` = 2s",
            "`ONCELY_HTTP_ADDR`?",
        ] {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
    }
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "http_addr = '127.0.0.1:1'\n[ledger]\npool_size = 2\nprune_batch = 3\n";
    let variables = [
        ("ONCELY_HTTP_ADDR", "127.0.0.1:4"),
        ("ONCELY_LEDGER__POOL_SIZE", "5"),
    ];
    let arguments = [
        "config",
        "print",
        "--origin",
        "--http-addr",
        "127.0.0.1:6",
        "--set",
        "hot.connections=7",
    ];
    let (code, out, _) = run(&arguments, &variables, Some(file));
    assert_eq!(code, 0);
    let line = |key: &str| {
        let found = out
            .lines()
            .find(|it| it.split(' ').next() == Some(key))
            .unwrap();
        found
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("http_addr"), "127.0.0.1:6 flag --http-addr");
    assert_eq!(line("hot.connections"), "7 flag --set");
    assert_eq!(
        line("ledger.pool_size"),
        "5 environment variable ONCELY_LEDGER__POOL_SIZE"
    );
    assert_eq!(line("ledger.prune_batch"), "3 file:oncely.toml");
    assert_eq!(line("hot.timeout"), "50ms default");
}

#[test]
fn the_file_is_the_named_one_then_that_of_the_variable_then_the_usual_one() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("oncely.toml", 1), ("b.toml", 2), ("c.toml", 3)] {
        let text = format!("[ledger]\npool_size = {size}\n");
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let size = |command: &mut Command| {
        let output = command
            .args(["config", "print", "--output", "json"])
            .output()
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["ledger"]["pool_size"].as_u64()
    };
    assert_eq!(size(&mut oncely(folder.path())), Some(1));
    assert_eq!(
        size(oncely(folder.path()).env("ONCELY_CONFIG", "b.toml")),
        Some(2)
    );
    let mut named = oncely(folder.path());
    assert_eq!(
        size(
            named
                .env("ONCELY_CONFIG", "b.toml")
                .args(["--config", "c.toml"])
        ),
        Some(3)
    );
}

#[test]
fn a_named_file_that_is_missing_is_a_wrong_configuration() {
    let (code, _, complaints) = run(&["config", "check", "--config", "gone.toml"], &[], None);
    assert_eq!(code, 2);
    assert!(
        complaints.starts_with("error: read the configuration file gone.toml: "),
        "{complaints}"
    );
}

#[test]
fn printed_toml_is_a_file_with_the_same_settings() {
    let (_, toml, _) = run(&["config", "print", "--output", "toml"], &[], None);
    let (code, again, complaints) = run(
        &["config", "print", "--output", "toml", "--origin"],
        &[],
        Some(&toml),
    );
    assert_eq!(code, 0, "{complaints}");
    let bare = again.lines().map(|it| it.split("  # ").next().unwrap());
    assert_eq!(bare.collect::<Vec<_>>(), toml.lines().collect::<Vec<_>>());
    assert!(
        again.contains("http_addr = \"127.0.0.1:8080\"  # file:oncely.toml"),
        "{again}"
    );
}

#[test]
fn printed_json_holds_values_and_where_they_come_from() {
    let arguments = ["config", "print", "--output", "json", "--origin"];
    let (_, out, _) = run(&arguments, &[("ONCELY_HOT__CONNECTIONS", "7")], None);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["hot.connections"]["value"], 7);
    let origin = &json["hot.connections"]["origin"];
    assert_eq!(origin, "environment variable ONCELY_HOT__CONNECTIONS");
    assert_eq!(json["database_url"]["value"], serde_json::Value::Null);
}

#[test]
fn no_output_holds_a_secret() {
    let url = format!("postgres://u:{CANARY}@db.example/x?password={CANARY}");
    let tokens = format!("demo:{CANARY},demo:{CANARY}-2");
    let good = [
        ("ONCELY_DATABASE_URL", url.as_str()),
        ("ONCELY_AUTH_TOKENS", &tokens),
        ("ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET", CANARY),
    ];
    let bad = [
        ("ONCELY_DATABASE_URL", CANARY),
        ("ONCELY_AUTH_TOKENS", CANARY),
        ("ONCELY_DATABSE_URL", &url),
    ];
    let set = format!("database_url={CANARY}");
    let redis = format!("redis://:{CANARY}@cache.example:6379/0");
    let ways: [&[&str]; 9] = [
        &["config", "print", "--redis-url", &redis],
        &["config", "print", "--origin"],
        &["config", "print", "--output", "json"],
        &["config", "print", "--output", "toml"],
        &["config", "print", "--output", "json", "--origin"],
        &["config", "check"],
        &["config", "check", "--set", &set],
        &["config", "check", "--set", CANARY.trim_end_matches("7f3a")],
        &["config", "check", "--redis-url", CANARY],
    ];
    for variables in [good, bad] {
        for arguments in ways {
            let (_, out, complaints) = run(arguments, &variables, None);
            assert!(!(out + &complaints).contains(CANARY), "{arguments:?}");
        }
    }
    let (_, out, _) = run(ways[0], &good, None);
    assert!(
        out.contains("postgres://u:***@db.example/x?password=***"),
        "{out}"
    );
    assert!(out.contains("redis://:***@cache.example:6379/0"), "{out}");
    assert!(out.contains("demo: 2 redacted"), "{out}");
}

#[test]
fn a_reader_who_leaves_early_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = oncely(folder.path());
    let child = command
        .args(["config", "print"])
        .stdout(writer)
        .stderr(Stdio::piped());
    let output = child.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
