//! Servers that are not there, that hang, and settings that break rules: lines, and never a crash.

use oncely::testkit::{Postgres, PostgresOptions, Redis, RedisOptions};

use super::visit::{NO_DATABASE, NO_REDIS, doctor, visit};
use crate::harness::run;

#[test]
fn servers_that_are_away_are_lines_and_no_secret_is_printed() {
    run(async {
        let found = visit(NO_DATABASE, NO_REDIS, &[]).await;
        assert_eq!(found.code, 2);
        found.finds("postgres", "reachable", "error", "Connection refused");
        found.finds("redis", "reachable", "error", "Connection refused");
        found.finds("broker", "durability", "error", "can't be asked");
        let (code, text) = doctor(&[], (NO_DATABASE, NO_REDIS), &[]).await;
        assert_eq!(code, 2);
        assert!(
            text.contains("postgres at postgres://u:***@127.0.0.1:1/x"),
            "{text}"
        );
        assert!(!(text + &found.text).contains("canary"));
    });
}

#[test]
fn servers_that_hang_are_given_up() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        postgres.pause().await.unwrap();
        redis.pause().await.unwrap();
        let found = visit(postgres.url(), redis.url(), &[]).await;
        assert_eq!(found.code, 2);
        assert_eq!(
            found.levels("postgres", "reachable"),
            ["error"],
            "{found:#?}"
        );
        assert_eq!(found.levels("redis", "reachable"), ["error"], "{found:#?}");
        redis.resume().await.unwrap();
        postgres.resume().await.unwrap();
    });
}

#[test]
fn settings_that_are_missing_or_break_rules_are_lines_too() {
    run(async {
        let wrong = [("ONCELY_IDEMPOTENCY__RETENTION", "1h")];
        let found = visit(NO_DATABASE, NO_REDIS, &wrong).await;
        assert_eq!(found.code, 2);
        found.finds("settings", "setting", "error", "idempotency");
        assert!(found.levels("postgres", "reachable").is_empty());

        let weak = [("ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET", "short")];
        let found = visit(NO_DATABASE, NO_REDIS, &weak).await;
        found.finds("settings", "setting", "warning", "shorter than 16 bytes");
    });
}
