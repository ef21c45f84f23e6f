//! Redis Streams, and what happens to a real Redis.

use std::time::Duration;

use oncely::broker::{Broker, Change, Durability, RedisStreams, Unfit};
use oncely::config::{BrokerDurability, Secret};
use oncely::testkit::{Proxy, Redis, RedisOptions};
use redis::AsyncCommands;
use tokio::time::Instant;

use super::stage::{redis_streams, settings};
use super::{NEVER, PATIENCE, SOON, message, messages, of, publish, receipts, receive, topic};
use crate::harness::{redis_at, run, until};

const PREFIX: &str = "p:";

async fn start(options: RedisOptions) -> Redis {
    Redis::start(options).await.unwrap()
}

fn broker_at(redis: &Redis) -> RedisStreams {
    redis_streams(redis.url(), PREFIX, NEVER)
}

async fn config_set(url: &str, name: &str, value: &str) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg(name).arg(value);
    set.exec_async(&mut redis_at(url).await).await.unwrap();
}

#[test]
fn a_durable_broker_that_is_killed_while_messages_go_by_loses_none_that_it_acknowledged() {
    run(async {
        let redis = start(RedisOptions::durable()).await;
        let broker = redis_streams(redis.url(), PREFIX, SOON);
        let t = topic("t");
        let mut member = broker.subscribe(&t, "g", "m").await.unwrap();
        let was = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        let sent = messages(&t, 300);
        let publishing = async {
            for one in sent.chunks(10) {
                // An error says nothing: the same again, as the relay does.
                until(|| async { broker.publish(one).await.is_ok() }).await;
            }
        };
        let receiving = async {
            let mut got = std::collections::BTreeSet::new();
            let mut n_errors = 0;
            while got.len() < sent.len() {
                let Ok(deliveries) = member.receive(20, PATIENCE).await else {
                    n_errors += 1;
                    tokio::task::yield_now().await;
                    continue;
                };
                got.extend(of(&deliveries).iter().map(|it| it.id));
                // Where it fails they come again.
                let acknowledged = member.acknowledge(&receipts(&deliveries)).await;
                n_errors += usize::from(acknowledged.is_err());
            }
            assert!(n_errors > 0, "the kill was not noticed at all");
        };
        let killing = async {
            let is_under_way = || async { broker.lag(&t).await.is_ok_and(|lag| 0 < lag.most) };
            until(is_under_way).await;
            redis.kill().await.unwrap();
            redis.restart().await.unwrap();
        };
        tokio::join!(publishing, receiving, killing);
        // The first may be on the connection that the kill broke.
        until(|| async { broker.lag(&t).await.is_ok() }).await;
        let is = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        assert!(is.change_since(&was).is_some(), "{was:?} {is:?}");
    });
}

#[test]
fn a_broker_that_forgets_everything_shows_it_and_members_go_on() {
    run(async {
        let redis = start(RedisOptions::default()).await;
        let broker = broker_at(&redis);
        let t = topic("t");
        let mut member = broker.subscribe(&t, "g", "m").await.unwrap();
        publish(&broker, &messages(&t, 3)).await;
        let was = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        let got = receive(&mut *member, 3).await;
        // While somebody waits, and under a member that holds messages.
        let waiting = member.receive(10, Duration::from_mins(1));
        let after = messages(&t, 2);
        let forgetting = async {
            let mut redis_itself = redis_at(redis.url()).await;
            until(|| is_somebody_blocked(redis_itself.clone())).await;
            redis.flush().await.unwrap();
            let key = format!("{PREFIX}s:t");
            until(|| {
                let mut it = redis_itself.clone();
                let key = key.clone();
                async move { it.exists(key).await.unwrap() }
            })
            .await;
            let is = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
            assert_eq!(is.change_since(&was), Some(Change::FailedOver));
            let _: () = redis_itself.del(&key).await.unwrap();
            publish(&broker, &after).await;
        };
        let (first, ()) = tokio::join!(waiting, forgetting);
        let mut all = of(&first.unwrap());
        if all.len() < after.len() {
            all.extend(of(&receive(&mut *member, after.len() - all.len()).await));
        }
        assert_eq!(all, after);
        member.acknowledge(&receipts(&got)).await.unwrap();
    });
}

async fn is_somebody_blocked(mut redis: redis::aio::MultiplexedConnection) -> bool {
    let ask = redis::cmd("INFO").arg("clients").to_owned();
    let info: redis::InfoDict = ask.query_async(&mut redis).await.unwrap();
    info.get::<u64>("blocked_clients") == Some(1)
}

#[test]
fn a_broker_that_forgets_everything_before_anybody_looked_shows_it() {
    run(async {
        let redis = start(RedisOptions::default()).await;
        let broker = broker_at(&redis);
        let was = broker.epoch(&[]).await.unwrap();
        assert_eq!(broker.epoch(&[]).await.unwrap().change_since(&was), None);
        publish(&broker, &messages(&topic("t"), 3)).await;
        redis.flush().await.unwrap();
        let is = broker.epoch(&[]).await.unwrap();
        assert_eq!(is.change_since(&was), Some(Change::FailedOver));
        assert_eq!(broker.epoch(&[]).await.unwrap().change_since(&is), None);
    });
}

#[test]
fn a_stream_that_was_deleted_shows_also_where_it_is_made_anew() {
    run(async {
        let redis = start(RedisOptions::default()).await;
        let broker = broker_at(&redis);
        let t = topic("t");
        publish(&broker, &messages(&t, 3)).await;
        let was = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        let mut redis_itself = redis_at(redis.url()).await;
        let _: () = redis_itself.del(format!("{PREFIX}s:t")).await.unwrap();
        let change = Some(Change::WentBackwards("t".to_owned()));
        let gone = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        assert_eq!(gone.change_since(&was), change);
        publish(&broker, &messages(&t, 2)).await;
        let anew = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        assert_eq!(anew.change_since(&was), change);
    });
}

#[test]
fn a_key_of_another_type_refuses_its_own_topic_only() {
    run(async {
        let redis = start(RedisOptions::default()).await;
        let broker = broker_at(&redis);
        let (t, bad) = (topic("t"), topic("bad"));
        let mut itself = redis_at(redis.url()).await;
        let _: () = itself.set(format!("{PREFIX}s:bad"), "x").await.unwrap();
        let batch = [message(&bad, "1"), message(&t, "2"), message(&bad, "3")];
        let taken = broker.publish(&batch).await.unwrap();
        for refused in [&taken[0], &taken[2]] {
            let why = refused.as_ref().unwrap_err();
            assert!(why.0.starts_with("WRONGTYPE"), "{why}");
        }
        assert_eq!(taken[1], Ok(()));
        broker.subscribe(&bad, "g", "m").await.unwrap_err();
        let epoch = broker.epoch(&[t, bad.clone()]).await.unwrap();
        assert_eq!(epoch.topics["bad"], (0, 0));
        assert_eq!(broker.lag(&bad).await.unwrap().most, 0);
    });
}

#[test]
fn a_broker_that_hangs_is_an_error_within_the_timeout() {
    run(async {
        let redis = start(RedisOptions::default()).await;
        let mut short = settings(PREFIX);
        short.timeout = Duration::from_millis(300);
        let url = Secret::new(redis.url());
        let broker = RedisStreams::connect(&url, &short, NEVER).unwrap();
        let t = topic("t");
        let mut member = broker.subscribe(&t, "g", "m").await.unwrap();
        publish(&broker, &messages(&t, 1)).await;
        redis.pause().await.unwrap();
        // On the open connection, then on one that can't be made.
        for _ in 0..2 {
            let began = Instant::now();
            let error = broker.publish(&messages(&t, 1)).await.unwrap_err();
            assert_eq!(error.operation, "publish");
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{:?}",
                began.elapsed()
            );
            member
                .receive(1, Duration::from_millis(10))
                .await
                .unwrap_err();
        }
        redis.resume().await.unwrap();
        publish(&broker, &messages(&t, 1)).await;
    });
}

#[test]
fn the_durability_is_what_the_server_is_set_to_and_strict_takes_no_less() {
    run(async {
        let redis = start(RedisOptions::durable()).await;
        let broker = broker_at(&redis);
        assert_eq!(broker.durability().await.unwrap(), Durability::Fsynced);
        let strict = BrokerDurability::Strict;
        assert_eq!(broker.require(strict).await.unwrap(), Durability::Fsynced);
        publish(&broker, &messages(&topic("t"), 1)).await;
        config_set(redis.url(), "appendonly", "no").await;
        assert_eq!(broker.durability().await.unwrap(), Durability::Hint);
        publish(&broker, &messages(&topic("t"), 1)).await;
        let error = broker.require(strict).await.unwrap_err();
        assert!(matches!(error, Unfit::NotDurable(_)), "{error:?}");
        assert!(error.to_string().contains("broker.durability"), "{error}");
        let auto = broker.require(BrokerDurability::Auto).await.unwrap();
        assert_eq!(auto, Durability::Hint);
    });
}

#[test]
fn a_server_that_may_not_be_asked_for_its_settings_is_a_hint() {
    run(async {
        let options = RedisOptions::with(["--appendonly", "yes", "--appendfsync", "always"]);
        let redis = start(options).await;
        let mut forbid = redis::cmd("ACL");
        forbid
            .arg("SETUSER")
            .arg("managed")
            .arg("on")
            .arg(">pw")
            .arg("~*");
        forbid.arg("+@all").arg("-config");
        let mut itself = redis_at(redis.url()).await;
        forbid.exec_async(&mut itself).await.unwrap();
        let url = redis.url().replace("redis://", "redis://managed:pw@");
        let broker = redis_streams(&url, PREFIX, NEVER);
        assert_eq!(broker.durability().await.unwrap(), Durability::Hint);
        publish(&broker, &messages(&topic("t"), 1)).await;
        assert!(!format!("{broker:?}").contains("pw"));
    });
}

#[test]
fn a_full_broker_is_an_error_and_refuses_no_message() {
    run(async {
        let options = ["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"];
        let redis = start(RedisOptions::with(options)).await;
        let broker = broker_at(&redis);
        let t = topic("t");
        let large = vec![message(&t, vec![7; 1 << 20])];
        let mut n = 0;
        let error = loop {
            match broker.publish(&large).await {
                Ok(taken) => assert_eq!(taken, [Ok(())]),
                Err(error) => break error,
            }
            n += 1;
            assert!(n < 10, "it took more than it has room for");
        };
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("OOM"), "{cause}");
        config_set(redis.url(), "maxmemory", "0").await;
        publish(&broker, &large).await;
    });
}

#[test]
fn garbage_in_the_stream_is_malformed_and_can_be_acknowledged() {
    run(async {
        let redis = start(RedisOptions::default()).await;
        let broker = broker_at(&redis);
        let t = topic("t");
        let mut itself = redis_at(redis.url()).await;
        let key = format!("{PREFIX}s:t");
        let mut add = redis::cmd("XADD");
        add.arg(&key).arg("*");
        add.arg("id").arg(&b"\xff\0"[..]).arg("").arg("");
        add.exec_async(&mut itself).await.unwrap();
        let sent = messages(&t, 1);
        publish(&broker, &sent).await;
        let mut member = broker.subscribe(&t, "g", "m").await.unwrap();
        let got = receive(&mut *member, 2).await;
        got[0].message.as_ref().unwrap_err();
        assert_eq!(of(&got[1..]), sent);
        member.acknowledge(&receipts(&got)).await.unwrap();
        assert_eq!(broker.lag(&t).await.unwrap().most, 0);
    });
}

#[test]
fn entries_that_were_deleted_while_somebody_held_them_stop_nobody() {
    run(async {
        let redis = start(RedisOptions::default()).await;
        let broker = redis_streams(redis.url(), PREFIX, SOON);
        let t = topic("t");
        let mut a = broker.subscribe(&t, "g", "a").await.unwrap();
        let sent = messages(&t, 3);
        publish(&broker, &sent).await;
        let held = receive(&mut *a, 3).await;
        let mut itself = redis_at(redis.url()).await;
        let ids: Vec<&str> = held[..2].iter().map(|it| it.receipt.0.as_str()).collect();
        let mut delete = redis::cmd("XDEL");
        delete.arg(format!("{PREFIX}s:t")).arg(&ids);
        let n: u64 = delete.query_async(&mut itself).await.unwrap();
        assert_eq!(n, 2);
        let mut b = broker.subscribe(&t, "g", "b").await.unwrap();
        let again = receive(&mut *b, 1).await;
        assert_eq!(of(&again), sent[2..]);
        assert_eq!(again[0].n_deliveries, 2);
        b.acknowledge(&receipts(&again)).await.unwrap();
        assert_eq!(broker.lag(&t).await.unwrap().most, 0);
    });
}

#[test]
fn a_name_that_leads_to_a_replica_is_an_error_until_it_leads_elsewhere_and_shows_as_a_fail_over() {
    run(async {
        let (old, new) = (
            start(RedisOptions::default()).await,
            start(RedisOptions::default()).await,
        );
        let proxy = Proxy::start(old.url()).await.unwrap();
        let url = proxy.url_for(old.url()).unwrap();
        let broker = redis_streams(&url, PREFIX, NEVER);
        let t = topic("t");
        publish(&broker, &messages(&t, 1)).await;
        let was = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        let mut itself = redis_at(new.url()).await;
        let address = old.address().unwrap();
        let (host, port) = address.split_once(':').unwrap();
        let follow = redis::cmd("REPLICAOF").arg(host).arg(port).to_owned();
        follow.exec_async(&mut itself).await.unwrap();
        until(|| {
            let mut it = itself.clone();
            async move { it.exists(format!("{PREFIX}s:t")).await.unwrap_or(false) }
        })
        .await;
        proxy.lead_to(new.url()).await.unwrap();
        // The first may be the connection that was reset; a replica takes none of them.
        for _ in 0..3 {
            broker.publish(&messages(&t, 1)).await.unwrap_err();
        }
        let promote = redis::cmd("REPLICAOF").arg("NO").arg("ONE").to_owned();
        promote.exec_async(&mut itself).await.unwrap();
        until(|| async { broker.publish(&messages(&t, 1)).await.is_ok() }).await;
        let is = broker.epoch(std::slice::from_ref(&t)).await.unwrap();
        assert_eq!(is.change_since(&was), Some(Change::FailedOver));
    });
}
