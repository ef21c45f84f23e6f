//! Judges a Postgres: what a start refuses, and what would only hurt some night.

use std::time::Duration;

use super::anchor;
use super::postgres_facts::{Facts, Server, Table};
use super::report::Check;
use crate::cli::table::age;
use crate::config::Config;
use crate::ledger::Refusal;

/// A clock that is further off than this shows in `Retry-After` and in how fresh a latch looks.
const SKEW_MAX: f64 = 1.0;

/// Autovacuum freezes at 200 million by itself; the server stops taking writes at two thousand million.
const FROZEN_AGE_MAX: i64 = 1_000_000_000;

/// Fewer dead rows than this are no sign of anything.
const DEAD_MIN: i64 = 100_000;

/// What a start checks: each of its refusals is a line, and what it does not refuse is one as well.
pub(super) fn judge_refusals(
    refusals: &[Refusal],
    version: &str,
    synchronous_commit: &str,
) -> Vec<Check> {
    let durable = format!("fsync and full_page_writes on, synchronous_commit {synchronous_commit}");
    let fine = [
        ("version", version.to_owned()),
        ("primary", "it takes writes".to_owned()),
        ("durability", durable),
        ("logged-tables", "all of them survive a crash".to_owned()),
        ("schema", "this binary's".to_owned()),
    ];
    let mut checks = Vec::new();
    for (name, found) in fine {
        let refused: Vec<_> = refusals.iter().filter(|it| name_of(it) == name).collect();
        if refused.is_empty() {
            checks.push(Check::good(name, found));
        }
        for refusal in refused {
            let text = refusal.to_string();
            let (found, hint) = text.rsplit_once("; ").unwrap_or((&text, "see the message"));
            checks.push(Check::error(name, found, hint).see(anchor::LEDGER));
        }
    }
    checks
}

fn name_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::TooOld(_) => "version",
        Refusal::ReadReplica => "primary",
        Refusal::UnsafeDurability { .. } => "durability",
        Refusal::Unlogged { .. } => "logged-tables",
        Refusal::SchemaBehind(_) | Refusal::SchemaAhead => "schema",
    }
}

/// What would only hurt some night.
pub(super) fn judge(facts: &Facts, config: &Config) -> Vec<Check> {
    let mut checks = vec![
        judge_standbys(&facts.server),
        judge_clock(facts.skew, "the database"),
        judge_connections(&facts.server, config),
    ];
    checks.push(judge_holders(facts, config));
    checks.push(judge_slots(&facts.idle_slots));
    checks.push(judge_vacuum(facts.server.autovacuum, &facts.tables));
    checks.push(judge_frozen(facts.server.frozen_age));
    checks
}

fn judge_standbys(server: &Server) -> Check {
    let name = "standby";
    let waits = !matches!(server.synchronous_commit.as_str(), "local" | "off");
    match (server.standby_names.is_empty(), server.standbys) {
        (true, 0) => Check::good(name, "none: nothing can fail over, and nothing can be lost by it"),
        (true, n) => Check::warning(
            name,
            format!("{n} standbys, none of them synchronous: a fail-over loses confirmed charges"),
            "set `synchronous_standby_names`, or never fail over without `oncely ledger new-epoch`",
        ),
        (false, _) if !waits => Check::error(
            name,
            format!(
                "synchronous_commit is {}: commits do not wait for the synchronous standby",
                server.synchronous_commit
            ),
            "set `synchronous_commit = on`",
        ),
        (false, 0) => Check::error(
            name,
            "synchronous_standby_names is set and no standby is there: commits wait for ever",
            "bring the standby back, or empty `synchronous_standby_names` knowing what that risks",
        ),
        (false, _) if server.sees_all && server.sync_standbys == 0 => Check::error(
            name,
            "no standby has the name that synchronous_standby_names asks for: commits wait for ever",
            "compare it with `application_name` in pg_stat_replication",
        ),
        (false, n) => Check::good(name, format!("{n}, and commits wait for a synchronous one")),
    }
    .see(anchor::LEDGER)
}

pub(super) fn judge_clock(skew: f64, whose: &str) -> Check {
    let ahead = if skew < 0.0 { "behind" } else { "ahead of" };
    let found = format!("{} {ahead} this machine's", age(skew.abs()));
    if skew.abs() <= SKEW_MAX {
        return Check::good("clock", found);
    }
    let hint = format!("run a time service on this machine and on that of {whose}");
    Check::warning("clock", found, hint)
}

/// How many connections one process with these roles opens at most.
pub(super) fn connections_of(config: &Config) -> u32 {
    use crate::config::Role;
    let has = |role| config.roles.contains(&role);
    // Each pool has one connection of its own for the epoch; rescues share two.
    let mut n = config.ledger.pool_size + 1 + 2 + 1;
    if has(Role::Api) {
        // What tells the relay of new events.
        n += 2;
    }
    if has(Role::Relay) {
        // And one to listen on.
        n += config.outbox.pool_size.max(2) + 1 + 2;
    }
    if has(Role::Consumer) {
        n += config.inbox.pool_size + 1;
    }
    n
}

fn judge_connections(server: &Server, config: &Config) -> Check {
    let name = "connections";
    let ours = i64::from(connections_of(config));
    let (most, others) = (server.connections_max, server.connections);
    let found =
        format!("a process like this opens up to {ours}; {others} are open, {most} are possible");
    let hint = "lower `ledger.pool_size`, `outbox.pool_size` and `inbox.pool_size`, or raise \
                `max_connections` of Postgres";
    if most < ours {
        Check::error(name, found, hint)
    } else if most < others.max(ours) + ours {
        Check::warning(
            name,
            format!("{found}: there is no room for one more process"),
            hint,
        )
    } else {
        Check::good(name, found)
    }
    .see(anchor::LEDGER)
}

/// No transaction of ours lives longer than an operation may take. Six times that is nobody's work.
fn judge_holders(facts: &Facts, config: &Config) -> Check {
    let name = "old-transactions";
    let limit = config.ledger.operation_timeout * 6;
    let seen = if facts.server.sees_all {
        String::new()
    } else {
        "; this role sees its own alone, so GRANT pg_read_all_stats to it".to_owned()
    };
    let oldest = facts.holders.first();
    let Some(it) = oldest.filter(|it| limit < Duration::from_secs_f64(it.seconds.max(0.0))) else {
        let shown = humantime::format_duration(limit);
        return Check::good(name, format!("none is older than {shown}{seen}"));
    };
    let hint = if it.kind == "session" {
        "it keeps dead rows from vacuum: end it with pg_terminate_backend, and set \
         `idle_in_transaction_session_timeout` for its role"
    } else {
        "nobody will end it by itself: COMMIT PREPARED or ROLLBACK PREPARED it"
    };
    let found = format!("a {} is open for {}: {}", it.kind, age(it.seconds), it.name);
    Check::warning(name, found, hint).see(anchor::GROWTH)
}

fn judge_slots(idle: &[String]) -> Check {
    let name = "replication-slots";
    if idle.is_empty() {
        return Check::good(name, "none is idle");
    }
    Check::warning(
        name,
        format!(
            "nobody reads {}: the server keeps WAL for it until the disk is full",
            idle.join(", ")
        ),
        "bring its reader back, or drop it with pg_drop_replication_slot",
    )
    .see(anchor::GROWTH)
}

fn judge_vacuum(is_on: bool, tables: &[Table]) -> Check {
    let name = "autovacuum";
    if !is_on {
        let found = "off: every table grows, until the server stops to save its data";
        return Check::error(name, found, "set `autovacuum = on`").see(anchor::GROWTH);
    }
    if let Some(table) = tables.iter().find(|it| it.is_left_out) {
        let found = format!("switched off for oncely.{}", table.name);
        let hint = format!(
            "ALTER TABLE oncely.{} RESET (autovacuum_enabled)",
            table.name
        );
        return Check::warning(name, found, hint).see(anchor::GROWTH);
    }
    let behind = tables.iter().find(|it| DEAD_MIN.max(it.live) < it.dead);
    match behind {
        Some(it) => Check::warning(
            name,
            format!(
                "oncely.{} has {} dead rows beside {}",
                it.name, it.dead, it.live
            ),
            "look for old transactions; then VACUUM it, or give it a lower \
             autovacuum_vacuum_scale_factor",
        )
        .see(anchor::GROWTH),
        None => Check::good(
            name,
            format!("on, and it keeps up with {} tables", tables.len()),
        ),
    }
}

fn judge_frozen(age: i64) -> Check {
    let name = "transaction-ids";
    let found = format!("{age} since the oldest row that is not frozen");
    if age <= FROZEN_AGE_MAX {
        return Check::good(name, found);
    }
    let hint = "VACUUM (FREEZE) the oldest tables: the server takes no writes at 2,000 million";
    Check::error(name, found, hint).see(anchor::LEDGER)
}
