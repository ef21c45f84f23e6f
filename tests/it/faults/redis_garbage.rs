//! Values in Redis that are not ours, not whole, or not of this key.

use super::world::{is_marked, mark_ledger, record_key};
use crate::harness::{App, Recipe, run, shared_redis};

/// Puts something into the place of a record.
async fn spoil(app: &App, key: &str, how: &str) {
    let mut redis = shared_redis().await;
    let place = record_key(app, key);
    let mut get = redis::cmd("GET");
    let mut value: Vec<u8> = get.arg(&place).query_async(&mut redis).await.unwrap();
    match how {
        "bytes of somebody else" => value = b"hello".to_vec(),
        "nothing" => value.clear(),
        "another version" => value[3] = 2,
        "a flipped bit" => {
            let middle = value.len() / 2;
            value[middle] ^= 1;
        }
        "a torn end" => value.truncate(value.len() - 9),
        "another key's answer" => {
            let other = record_key(app, "k-other");
            value = redis::cmd("GET")
                .arg(&other)
                .query_async(&mut redis)
                .await
                .unwrap();
        }
        _ => {
            redis::cmd("DEL")
                .arg(&place)
                .exec_async(&mut redis)
                .await
                .unwrap();
            let mut push = redis::cmd("LPUSH");
            let pushed = push.arg(&place).arg("x").exec_async(&mut redis).await;
            return pushed.unwrap();
        }
    }
    let mut set = redis::cmd("SET");
    set.arg(&place)
        .arg(value)
        .exec_async(&mut redis)
        .await
        .unwrap();
}

const SPOILS: [&str; 7] = [
    "bytes of somebody else",
    "nothing",
    "another version",
    "a flipped bit",
    "a torn end",
    "another key's answer",
    "a list",
];

#[test]
fn garbage_in_redis_counts_as_absent_and_is_repaired() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        let caller = app.caller();
        assert_eq!(caller.charge("k-other", 9900).await.status, 201);
        for (amount, how) in (1..).zip(SPOILS) {
            let key = format!("k-{amount}");
            let first = caller.charge(&key, amount).await;
            assert_eq!(first.idempotency_status(), "created", "{how}");

            spoil(&app, &key, how).await;
            let second = caller.charge(&key, amount).await;
            assert_eq!(second.idempotency_status(), "replayed", "{how}");
            assert_eq!(second.essence(), first.essence(), "{how}");

            mark_ledger(&app).await;
            let third = caller.charge(&key, amount).await;
            assert!(!is_marked(&third), "{how}: Redis was not repaired");
            assert_eq!(third.essence(), first.essence(), "{how}");
            assert_eq!(app.n_charges_of(amount).await, 1, "{how}");
        }
    });
}

#[test]
fn garbage_before_the_first_request_does_not_keep_it_from_executing() {
    run(async {
        let app = App::made(Recipe::with_redis()).await;
        let caller = app.caller();
        let mut redis = shared_redis().await;
        for (amount, command) in [(1, "LPUSH"), (2, "SADD"), (3, "SET")] {
            let key = format!("k-{amount}");
            let mut spoil = redis::cmd(command);
            spoil.arg(record_key(&app, &key)).arg("junk");
            spoil.exec_async(&mut redis).await.unwrap();
            let first = caller.charge(&key, amount).await;
            assert_eq!(first.idempotency_status(), "created", "{command}");
            mark_ledger(&app).await;
            let again = caller.charge(&key, amount).await;
            assert!(!is_marked(&again), "{command}: Redis was not repaired");
            assert_eq!(app.n_charges_of(amount).await, 1, "{command}");
        }
    });
}
