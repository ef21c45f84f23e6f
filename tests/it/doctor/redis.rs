//! What may be wrong with a Redis, made wrong.

use oncely::testkit::{Redis, RedisOptions};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::visit::{NO_DATABASE, tell, visit};
use crate::harness::{lie, run};

#[test]
fn eviction_that_takes_latches_and_no_limit_at_all_are_found() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let found = visit(NO_DATABASE, redis.url(), &[]).await;
        found.finds("redis", "memory", "warning", "no limit");
        found.finds("redis", "access", "warning", "without a password");
        found.finds("broker", "durability", "warning", "no append-only file");
        for name in ["set-nx-get", "permissions", "primary", "maxmemory-policy"] {
            found.is_good("redis", name);
        }
        tell(&redis, "CONFIG SET maxmemory 64mb").await;
        for (policy, words) in [
            ("volatile-ttl", "what is being worked on"),
            ("allkeys-lru", "streams"),
        ] {
            tell(&redis, &format!("CONFIG SET maxmemory-policy {policy}")).await;
            let found = visit(NO_DATABASE, redis.url(), &[]).await;
            found.finds("redis", "maxmemory-policy", "warning", words);
            found.is_good("redis", "memory");
        }
        let strict = [("ONCELY_BROKER__DURABILITY", "strict")];
        let found = visit(NO_DATABASE, redis.url(), &strict).await;
        found.finds("broker", "durability", "error", "strict");
    });
}

#[test]
fn a_replica_and_a_user_who_may_not_run_our_commands_are_found() {
    run(async {
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let rules = "ACL SETUSER narrow on >pw ~oncely:* &* +@all -eval -xadd";
        tell(&redis, rules).await;
        let url = format!("redis://narrow:pw@{}/", redis.address().unwrap());
        let found = visit(NO_DATABASE, &url, &[]).await;
        found.finds("redis", "permissions", "error", "EVAL");
        found.finds("broker", "permissions", "error", "XADD");
        // The door for everybody else is still open.
        found.finds("redis", "access", "warning", "without a password");

        tell(&redis, "REPLICAOF 127.0.0.1 1").await;
        let found = visit(NO_DATABASE, redis.url(), &[]).await;
        found.finds("redis", "primary", "error", "a replica");
        found.finds("redis", "set-nx-get", "error", "");
    });
}

#[test]
fn a_redis_that_says_ok_to_everything_is_found() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let mut liar = JoinSet::new();
        liar.spawn(lie(listener));
        let found = visit(NO_DATABASE, &url, &[]).await;
        assert_eq!(found.code, 2);
        found.finds("redis", "set-nx-get", "error", "ignores");
    });
}
