//! Judges the Redis of the hot path.

use std::time::Duration;

use super::anchor;
use super::postgres::judge_clock;
use super::redis_facts::Facts;
use super::report::{Check, chain};
use crate::hot::{Probed, Unfit};

/// Fuller than this, the next traffic peak fills it.
const FULL: f64 = 0.9;

/// The first that has NX and GET in one command.
const VERSION_MIN: u32 = 7;

pub(super) fn judge(facts: &Facts, timeout: Duration) -> Vec<Check> {
    vec![
        judge_version(facts),
        judge_role(facts),
        judge_persistence(facts),
        judge_memory(facts),
        judge_policy(facts),
        judge_answers(facts, timeout),
        facts.skew.map_or_else(
            || Check::warning("clock", "this user may not ask for TIME", "allow it +time"),
            |it| judge_clock(it, "Redis"),
        ),
        judge_door(facts),
        judge_permissions(facts.forbidden.as_deref()),
    ]
}

/// Whether a second `SET NX GET` is told what is there.
pub(super) fn judge_probe(probed: &Result<Probed, Unfit>) -> Check {
    let name = "set-nx-get";
    match probed {
        Ok(Probed::Sound) => Check::good(name, "honoured: the second writer is told what is there"),
        Ok(Probed::Degraded(error)) => Check::error(
            name,
            format!("it did not go through: {}", chain(error)),
            "until it does, every request goes to the ledger alone",
        ),
        Err(unfit) => {
            let text = unfit.to_string();
            let (found, hint) = text
                .split_once(": ")
                .unwrap_or((&text, "connect to a real Redis"));
            Check::error(name, found, hint)
        }
    }
    .see(anchor::HOT_PATH)
}

fn judge_version(facts: &Facts) -> Check {
    let Some(version) = &facts.version else {
        return Check::warning(
            "version",
            "this user may not ask for INFO",
            "allow it +info",
        );
    };
    let major = version.split('.').next().and_then(|it| it.parse().ok());
    if major.is_some_and(|it: u32| it < VERSION_MIN) {
        let hint = "SET with NX and GET came with 7.0: upgrade it";
        return Check::error("version", version, hint).see(anchor::HOT_PATH);
    }
    Check::good("version", version)
}

fn judge_role(facts: &Facts) -> Check {
    match facts.role.as_deref() {
        Some("slave") => Check::error(
            "primary",
            "a replica: it takes no writes, so every request goes to the ledger alone",
            "point `redis_url` at the primary",
        )
        .see(anchor::HOT_PATH),
        Some(_) => Check::good("primary", "it takes writes"),
        None => Check::good("primary", "not known"),
    }
}

/// The hot path needs none of it: what is lost there is asked from the ledger.
fn judge_persistence(facts: &Facts) -> Check {
    let name = "persistence";
    if facts.save_failed {
        let found = "the last write to disk failed, and Redis may refuse all writes for it";
        let hint = "look at its log and its disk; `INFO persistence` says which";
        return Check::warning(name, found, hint).see(anchor::HOT_PATH);
    }
    Check::good(
        name,
        match facts.has_append_file {
            Some(true) => "append-only file",
            Some(false) => "none or snapshots; the hot path needs none",
            None => "not known; the hot path needs none",
        },
    )
}

fn judge_memory(facts: &Facts) -> Check {
    let name = "memory";
    let (Some(most), Some(used)) = (facts.maxmemory, facts.used_memory) else {
        return Check::good(name, "not known");
    };
    if most == 0 {
        let found = "no limit: it grows until the system ends it";
        let hint = "set `maxmemory`, and leave room for forks and buffers";
        return Check::warning(name, found, hint).see(anchor::HOT_PATH);
    }
    let mib = |it: u64| it / (1 << 20);
    let found = format!("{} of {} MiB", mib(used), mib(most));
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    let share = used as f64 / most as f64;
    if FULL < share {
        let hint = "raise `maxmemory`, or lower `hot.retention` or `broker.keep`";
        return Check::warning(name, found, hint).see(anchor::HOT_PATH);
    }
    Check::good(name, found)
}

fn judge_policy(facts: &Facts) -> Check {
    let name = "maxmemory-policy";
    let Some(policy) = facts.policy.as_deref() else {
        return Check::good(name, "not known");
    };
    let risk = match policy {
        "noeviction" | "volatile-lru" | "volatile-lfu" => return Check::good(name, policy),
        "volatile-ttl" => "it throws out what ends soonest, and that is what is being worked on",
        "volatile-random" => "it throws out what is being worked on as well",
        _ => "it may throw out streams, with events that nobody has read",
    };
    let hint = "set `maxmemory-policy volatile-lru` or `noeviction`";
    Check::warning(name, format!("{policy}: {risk}"), hint).see(anchor::HOT_PATH)
}

fn judge_answers(facts: &Facts, timeout: Duration) -> Check {
    let name = "answers";
    let shown = format!("{:.1} ms at most", facts.slowest * 1_000.0);
    if timeout.as_secs_f64() / 2.0 < facts.slowest {
        let found = format!(
            "{shown}, and `hot.timeout` is {}",
            humantime::format_duration(timeout)
        );
        let hint = "bring Redis nearer, look at SLOWLOG, or raise `hot.timeout`";
        return Check::warning(name, found, hint).see(anchor::HOT_PATH);
    }
    Check::good(name, shown)
}

fn judge_door(facts: &Facts) -> Check {
    let name = "access";
    let user = facts
        .user
        .as_deref()
        .unwrap_or("a user that it does not name");
    match facts.is_open {
        Some(true) => Check::warning(
            name,
            "anybody who reaches it may write without a password, and so make up a replay",
            "give Oncely an ACL user of its own, and `ACL SETUSER default off`",
        ),
        Some(false) | None => Check::good(name, format!("as {user}, with a password")),
    }
}

pub(super) fn judge_permissions(forbidden: Option<&[String]>) -> Check {
    let name = "permissions";
    match forbidden {
        None => Check::good(
            name,
            "this user may not ask (ACL DRYRUN); what is tried above works",
        ),
        Some([]) => Check::good(name, "all that we run"),
        Some(some) => Check::error(
            name,
            format!("this user may not run {}", some.join(", ")),
            "allow them on our keys: `ACL SETUSER <user> +@all ~oncely:*`, or each by name",
        )
        .see(anchor::HOT_PATH),
    }
}
