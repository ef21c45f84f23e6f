//! Servers in good state: every line is good, the form of the report is a contract.

use nix::sys::signal::Signal;
use oncely::testkit::{Postgres, PostgresOptions, Redis, RedisOptions};
use serde_json::json;

use super::visit::{doctor, tell, visit};
use crate::harness::{Process, migrated, run};

/// A relay takes its shards in a second or two; a loaded machine needs a few visits more.
const VISITS_MAX: usize = 20;

/// Every line, by section and name: programs rely on them.
const CHECKS: [&str; 39] = [
    "settings rules",
    "settings retention",
    "settings tokens",
    "postgres reachable",
    "postgres version",
    "postgres primary",
    "postgres durability",
    "postgres logged-tables",
    "postgres schema",
    "postgres standby",
    "postgres clock",
    "postgres connections",
    "postgres old-transactions",
    "postgres replication-slots",
    "postgres autovacuum",
    "postgres transaction-ids",
    "postgres session-timeouts",
    "postgres pooler",
    "postgres race",
    "flow outbox-lag",
    "flow relay",
    "flow refused-events",
    "flow dead-letters",
    "flow unknown-outcomes",
    "flow leases",
    "flow sweeper",
    "redis reachable",
    "redis version",
    "redis primary",
    "redis persistence",
    "redis memory",
    "redis maxmemory-policy",
    "redis answers",
    "redis clock",
    "redis access",
    "redis permissions",
    "redis set-nx-get",
    "broker durability",
    "broker permissions",
];

#[test]
fn where_all_is_well_every_line_is_good_and_the_exit_code_is_0() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let durable = ["--appendonly", "yes", "--appendfsync", "always"];
        let bounded = ["--maxmemory", "64mb"];
        let mut options = RedisOptions::with(durable);
        options.arguments.extend(bounded.map(str::to_owned));
        let redis = Redis::start(options).await.unwrap();
        tell(&redis, "ACL SETUSER oncely on >canary-7f3a ~* &* +@all").await;
        tell(&redis, "ACL SETUSER default off").await;
        let address = redis.address().unwrap();
        let url = format!("redis://oncely:canary-7f3a@{address}/");

        let mut serve = Process::serve(database.url(), &url, &[]);
        let caller = serve.caller().await;
        assert_eq!(caller.charge("k-1", 1).await.status, 201);
        let mut seen = visit(database.url(), &url, &[]).await;
        for _ in 0..VISITS_MAX {
            if seen.code == 0 {
                break;
            }
            seen = visit(database.url(), &url, &[]).await;
        }
        assert_eq!(seen.code, 0, "{:#}", seen.report);
        assert!(!seen.text.contains("canary"), "{}", seen.text);
        let checks = seen.report["checks"].as_array().unwrap().iter();
        let names = checks.map(|it| format!("{} {}", it["section"], it["check"]).replace('"', ""));
        let names: Vec<_> = names.collect();
        assert_eq!(names, CHECKS);
        let last = json!({
            "section": "broker", "check": "permissions", "level": "good",
            "found": "all that we run", "hint": null, "runbook": null
        });
        assert_eq!(
            seen.report["checks"].as_array().unwrap().last(),
            Some(&last)
        );
        for (name, value) in [("errors", 0), ("warnings", 0)] {
            assert_eq!(seen.report[name], value);
        }
        assert_eq!(seen.report["verdict"], "good");
        assert_eq!(seen.report["good"], names.len());

        let (code, text) = doctor(&[], (database.url(), &url), &[]).await;
        assert_eq!(code, 0, "{text}");
        assert!(text.ends_with(": all is well\n"), "{text}");
        assert_eq!(text.matches("  √ ").count(), names.len(), "{text}");
        assert!(
            !text.contains('\u{1b}'),
            "no colours where nobody sees them"
        );
        serve.signal(Signal::SIGTERM);
        assert_eq!(serve.ended().await.0.code(), Some(0));
    });
}
