//! `oncely dev` as a newcomer meets it: the printed lines work, and nothing is left.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use sqlx::{Connection, PgConnection};

use crate::harness::{Process, redis_at, run, until};

/// What `oncely dev` has printed, taken apart.
struct Printed {
    curls: Vec<String>,
    kill: String,
    database_url: String,
    redis_url: String,
    ids: Vec<u32>,
}

const ADDRESSES: [(&str, &str); 2] = [
    ("ONCELY_HTTP_ADDR", "127.0.0.1:0"),
    ("ONCELY_ADMIN_ADDR", "127.0.0.1:0"),
];

async fn dev(arguments: &[&str]) -> (Process, Printed) {
    let arguments: Vec<_> = ["dev"]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let mut process = Process::start(&arguments, &ADDRESSES);
    let text = process.says("Ctrl-C stops everything").await;
    let lines = |prefix: &str| -> Vec<String> {
        let lines = text.lines().filter(|it| it.starts_with(prefix));
        lines.map(str::to_owned).collect()
    };
    let word = |prefix: &str| {
        let mut words = text.split_whitespace();
        words.find(|it| it.starts_with(prefix)).unwrap().to_owned()
    };
    let ids = text.split("private, pid ").skip(1).map(|rest| {
        let digits = rest.split(|it: char| !it.is_ascii_digit()).next();
        digits.unwrap().parse().unwrap()
    });
    let printed = Printed {
        curls: lines("curl "),
        kill: lines("kill -9 ").remove(0),
        database_url: word("postgres://"),
        redis_url: word("redis://"),
        ids: ids.collect(),
    };
    assert_eq!((printed.curls.len(), printed.ids.len()), (3, 2), "{text}");
    (process, printed)
}

/// Runs a line as if it had been pasted into a shell.
fn paste(line: &str) -> (String, String) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head.to_lowercase(), body.to_owned())
}

async fn n_charges(printed: &Printed) -> i64 {
    let mut connection = PgConnection::connect(&printed.database_url).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM public.charges")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    count
}

/// The directories of both servers, as the servers themselves tell.
async fn directories(printed: &Printed) -> [PathBuf; 2] {
    let mut connection = PgConnection::connect(&printed.database_url).await.unwrap();
    let data: String = sqlx::query_scalar("SHOW data_directory")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let mut redis = redis_at(&printed.redis_url).await;
    let mut ask = redis::cmd("CONFIG");
    let ask = ask.arg("GET").arg("dir");
    let (_, folder): (String, String) = ask.query_async(&mut redis).await.unwrap();
    let data = PathBuf::from(data);
    [data.parent().unwrap().to_owned(), PathBuf::from(folder)]
}

fn is_alive(id: u32) -> bool {
    let id = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
    nix::sys::signal::kill(id, None).is_ok()
}

#[test]
fn the_printed_lines_work_when_pasted_and_survive_the_printed_kill() {
    run(async {
        let (process, printed) = dev(&[]).await;
        let [new, again, other] = [0, 1, 2].map(|at| printed.curls[at].clone());
        let (head, first) = paste(&new);
        assert!(head.starts_with("http/1.1 201"), "{head}");
        assert!(head.contains("idempotency-status: created"), "{head}");
        let (head, second) = paste(&again);
        assert!(head.contains("idempotent-replayed: true"), "{head}");
        assert_eq!(second, first);
        let (head, body) = paste(&other);
        assert!(head.starts_with("http/1.1 422"), "{head}");
        assert!(body.contains("key-reused"), "{body}");
        let (request, _) = new.split_once(" -d ").unwrap();
        let request = request.replace("/charge", "/reserve");
        let order = r#"{"sku": "sku-1", "quantity": 1}"#;
        let (head, body) = paste(&format!("{request} -d '{order}'"));
        assert!(head.starts_with("http/1.1 201"), "{head}: {body}");

        paste(&printed.kill);
        let (head, after) = paste(&new);
        assert!(head.contains("idempotent-replayed: true"), "{head}");
        assert_eq!(after, first);
        assert_eq!(n_charges(&printed).await, 1);
        process.signal(Signal::SIGINT);
        assert_eq!(process.ended().await.0.code(), Some(0));
    });
}

#[test]
fn sigint_and_sigterm_end_it_and_leave_no_process_and_no_directory() {
    run(async {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let (process, printed) = dev(&[]).await;
            let directories = directories(&printed).await;
            assert!(directories.iter().all(|it| it.exists()));
            assert!(printed.ids.iter().all(|it| is_alive(*it)));
            process.signal(signal);
            let (status, out, _) = process.ended().await;
            assert_eq!(status.code(), Some(0), "{signal}");
            assert!(out.contains("nothing is left running"), "{out}");
            let ids = printed.ids.clone();
            until(|| async { !ids.iter().any(|it| is_alive(*it)) }).await;
            for directory in &directories {
                assert!(!directory.exists(), "{signal} left {}", directory.display());
            }
        }
    });
}

#[test]
fn a_sigkill_leaves_no_process_and_no_directory_either() {
    run(async {
        let (process, printed) = dev(&[]).await;
        let directories = directories(&printed).await;
        process.signal(Signal::SIGKILL);
        process.ended().await;
        until(|| async { !printed.ids.iter().any(|it| is_alive(*it)) }).await;
        until(|| async { !directories.iter().any(|it| it.exists()) }).await;
    });
}

#[test]
fn retained_directories_stay_and_are_named() {
    run(async {
        let (process, printed) = dev(&["--retain"]).await;
        let directories = directories(&printed).await;
        paste(&printed.curls[0]);
        process.signal(Signal::SIGTERM);
        let (status, out, _) = process.ended().await;
        assert_eq!(status.code(), Some(0));
        assert!(!printed.ids.iter().any(|it| is_alive(*it)));
        for directory in directories {
            assert!(out.contains(&directory.display().to_string()), "{out}");
            assert!(directory.is_dir());
            std::fs::remove_dir_all(directory).unwrap();
        }
    });
}
