//! What a Redis says of itself, and what our user may do there.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, InfoDict, RedisResult, Value};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clock;
use crate::config::Secret;

/// A Redis that takes longer than this to answer one question is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is judged about a server. What our user may not ask for is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Facts {
    pub(super) version: Option<String>,
    /// `master` or `slave`.
    pub(super) role: Option<String>,
    pub(super) maxmemory: Option<u64>,
    pub(super) used_memory: Option<u64>,
    pub(super) policy: Option<String>,
    pub(super) has_append_file: Option<bool>,
    /// Whether the last save to disk went wrong.
    pub(super) save_failed: bool,
    /// How far the server's clock is ahead of ours, in seconds.
    pub(super) skew: Option<f64>,
    /// The slowest of a few answers, in seconds.
    pub(super) slowest: f64,
    /// Who we are there.
    pub(super) user: Option<String>,
    /// Whether anybody may come in without a password.
    pub(super) is_open: Option<bool>,
    /// Commands that we need and may not run; `None` where nobody tells.
    pub(super) forbidden: Option<Vec<String>>,
}

/// Asks the server at `url`, and whether our user may run `commands`, each with its arguments.
pub(super) async fn gather(url: &Secret, commands: &[Vec<String>]) -> RedisResult<Facts> {
    let mut connection = connect(url).await?;
    let mut facts = Facts::default();
    let info = ask::<InfoDict>(&mut connection, &["INFO"]).await;
    if let Ok(info) = &info {
        read_info(&mut facts, info);
    }
    let (started, before) = (Instant::now(), clock::now());
    if let Ok((seconds, micros)) = ask::<(i64, i64)>(&mut connection, &["TIME"]).await {
        let trip = started.elapsed().as_secs_f64();
        facts.skew = skew(before, seconds, micros).map(|it| it - trip / 2.0);
    }
    for _ in 0..5 {
        let started = Instant::now();
        ask::<Value>(&mut connection, &["PING"]).await?;
        facts.slowest = facts.slowest.max(started.elapsed().as_secs_f64());
    }
    facts.user = ask(&mut connection, &["ACL", "WHOAMI"]).await.ok();
    facts.is_open = is_open(&mut connection, url).await;
    if let Some(user) = facts.user.clone() {
        facts.forbidden = forbidden(&mut connection, &user, commands).await;
    }
    Ok(facts)
}

async fn connect(url: &Secret) -> RedisResult<MultiplexedConnection> {
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    Client::open(url.expose())?
        .get_multiplexed_async_connection_with_config(&settings)
        .await
}

async fn ask<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    words: &[&str],
) -> RedisResult<T> {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.query_async(connection).await
}

fn read_info(facts: &mut Facts, info: &InfoDict) {
    let text = |name: &str| info.get::<String>(name);
    facts.version = text("redis_version");
    facts.role = text("role");
    facts.maxmemory = info.get("maxmemory");
    facts.used_memory = info.get("used_memory");
    facts.policy = text("maxmemory_policy");
    facts.has_append_file = text("aof_enabled").map(|it| it == "1");
    facts.save_failed = ["rdb_last_bgsave_status", "aof_last_write_status"]
        .into_iter()
        .any(|name| text(name).is_some_and(|it| it != "ok"));
}

fn skew(ours: OffsetDateTime, seconds: i64, micros: i64) -> Option<f64> {
    let there = OffsetDateTime::from_unix_timestamp(seconds).ok()?
        + Duration::from_micros(micros.unsigned_abs());
    Some((there - ours).as_seconds_f64())
}

/// Without a password in the URL we came in without one. With one, the default user says.
async fn is_open(connection: &mut MultiplexedConnection, url: &Secret) -> Option<bool> {
    let has_password = redis::IntoConnectionInfo::into_connection_info(url.expose())
        .ok()?
        .redis_settings()
        .password()
        .is_some();
    if !has_password {
        return Some(true);
    }
    let user: Value = ask(connection, &["ACL", "GETUSER", "default"]).await.ok()?;
    // A map in one protocol, a list in the other; the flags are words in either.
    let shown = format!("{user:?}");
    Some(shown.contains("nopass") && !shown.contains("\"off\"") && !shown.contains("'off'"))
}

async fn forbidden(
    connection: &mut MultiplexedConnection,
    user: &str,
    commands: &[Vec<String>],
) -> Option<Vec<String>> {
    let mut forbidden = Vec::new();
    for words in commands {
        let mut dry = redis::cmd("ACL");
        dry.arg("DRYRUN").arg(user).arg(words);
        let answer: Value = dry.query_async(connection).await.ok()?;
        if answer != Value::Okay && answer != Value::SimpleString("OK".to_owned()) {
            forbidden.extend(words.first().cloned());
        }
    }
    forbidden.dedup();
    Some(forbidden)
}

/// What the hot path runs.
pub(super) fn commands_of_the_hot_path(prefix: &str) -> Vec<Vec<String>> {
    let key = format!("{prefix}r:{{0}}");
    let lines = [
        format!("SET {key} v NX GET PX 1"),
        format!("SET {key} v PXAT 1"),
        format!("GETEX {key} PXAT 1"),
        format!("GET {key}"),
        format!("DEL {key}"),
        format!("PTTL {key}"),
        format!("EVAL return 1 {key} v"),
    ];
    lines.iter().map(|it| words(it)).collect()
}

/// What the broker runs.
pub(super) fn commands_of_the_broker(prefix: &str) -> Vec<Vec<String>> {
    let key = format!("{prefix}s:t");
    let lines = [
        format!("XADD {key} * f v"),
        format!("XREADGROUP GROUP g m STREAMS {key} >"),
        format!("XACK {key} g 0-1"),
        format!("XAUTOCLAIM {key} g m 1 0-0"),
        format!("XGROUP CREATE {key} g 0 MKSTREAM"),
        format!("XINFO GROUPS {key}"),
        format!("XPENDING {key} g"),
        format!("XTRIM {key} MINID 0-1"),
        format!("SET {prefix}broker v NX GET"),
        "INFO server".to_owned(),
    ];
    lines.iter().map(|it| words(it)).collect()
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
