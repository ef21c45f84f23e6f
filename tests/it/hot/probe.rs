//! The self-check at start: a real Redis passes, an absent one is excused, a liar is not.

use std::sync::Arc;

use oncely::config::Hot as Settings;
use oncely::hot::{Class, Hot, Operation, Probed, Reason, Status, Unfit};
use oncely::shutdown::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::world::{absent_redis, ask, hot, redis, settings};

#[tokio::test]
async fn a_real_redis_passes_and_every_key_of_the_check_has_an_end() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    assert!(matches!(hot.probe().await.unwrap(), Probed::Sound));
    assert_eq!(hot.status(), Status::Up);
    let keys: Vec<String> = ask(&redis, "KEYS *").await;
    assert_eq!(keys.len(), 1);
    assert!(keys[0].starts_with("oncely:p:{"));
    let left_ms: i64 = ask(&redis, &format!("PTTL {}", keys[0])).await;
    assert!((1..=15_000).contains(&left_ms));
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_excused() {
    let redis = absent_redis().await;
    let hot = hot(&redis).await;
    let Probed::Degraded(error) = hot.probe().await.unwrap() else {
        panic!("nobody is there");
    };
    assert_eq!(
        (error.operation, error.class),
        (Operation::Probe, Class::Open)
    );
    let reason = Reason::Disconnected;
    assert_eq!(hot.status(), Status::Degraded { reason });
}

#[tokio::test]
async fn only_a_url_that_cannot_be_used_keeps_us_from_starting() {
    for url in [
        "",
        "redis//:s3cret@localhost",
        "http://:s3cret@localhost",
        "rediss://:s3cret@localhost",
        "redis://:s3cret@localhost:port",
        "redis://:s3cret@localhost/database",
    ] {
        let error = Hot::start(&url.into(), &settings(), &Tasks::default())
            .await
            .unwrap_err();
        assert_eq!(
            (error.operation, error.class),
            (Operation::Connect, Class::Unusable),
            "{url}"
        );
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

/// Answers each command with what `reply` makes of its words; no Redis, but speaks like one.
async fn liar(reply: fn(&[String]) -> String) -> Hot {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let tasks = Tasks::default();
    let connections = tasks.clone();
    tasks.spawn_loop(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn_loop(answer(stream, reply));
        }
    });
    let settings = Arc::new(settings());
    let settings: &Settings = &settings;
    Hot::start(&url.into(), settings, &tasks).await.unwrap()
}

async fn answer(mut stream: TcpStream, reply: fn(&[String]) -> String) {
    let mut read = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut read).await {
        while let Some((words, length)) = parse(&read) {
            read.drain(..length);
            if stream.write_all(reply(&words).as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// The words of one whole command, and how many bytes it has.
fn parse(read: &[u8]) -> Option<(Vec<String>, usize)> {
    let text = String::from_utf8_lossy(read);
    let mut lines = text.split_inclusive("\r\n");
    let mut length = 0;
    let mut line = || {
        let line = lines.next().filter(|it| it.ends_with("\r\n"))?;
        length += line.len();
        Some(line.trim_end().to_owned())
    };
    let count = line()?.strip_prefix('*')?.parse::<usize>().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        line()?;
        words.push(line()?);
    }
    Some((words, length))
}

#[tokio::test]
async fn a_server_that_says_ok_to_everything_is_refused() {
    let hot = liar(|_| "+OK\r\n".to_owned()).await;
    assert_eq!(hot.probe().await.unwrap_err(), Unfit::IgnoresGet);
}

#[tokio::test]
async fn a_server_that_ignores_nx_is_refused() {
    let forgets = liar(|_| "$-1\r\n".to_owned()).await;
    assert_eq!(forgets.probe().await.unwrap_err(), Unfit::IgnoresNx);
    let overwrites = liar(|words| match words.get(2).map(String::as_str) {
        Some("1") => "$-1\r\n".to_owned(),
        Some("2") => "$1\r\n1\r\n".to_owned(),
        Some("3") => "$1\r\n2\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    assert_eq!(overwrites.probe().await.unwrap_err(), Unfit::IgnoresNx);
}

#[tokio::test]
async fn a_server_that_ignores_the_expiry_is_refused() {
    let hot = liar(
        |words| match (&*words[0], words.get(2).map(String::as_str)) {
            ("SET", Some("1")) => "$-1\r\n".to_owned(),
            ("SET", _) => "$1\r\n1\r\n".to_owned(),
            ("PTTL", _) => ":-1\r\n".to_owned(),
            _ => "+OK\r\n".to_owned(),
        },
    )
    .await;
    assert_eq!(hot.probe().await.unwrap_err(), Unfit::IgnoresExpiry);
}

#[tokio::test]
async fn a_redis_before_7_is_told_so() {
    let hot = liar(|words| match &*words[0] {
        "SET" => "-ERR syntax error\r\n".to_owned(),
        "INFO" => "$32\r\n# Server\r\nredis_version:6.2.14\r\n\r\n\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    let unfit = hot.probe().await.unwrap_err();
    assert_eq!(
        unfit.to_string(),
        "Redis 6.2.14 is too old: SET with NX and GET came with 7.0; upgrade it"
    );
}
