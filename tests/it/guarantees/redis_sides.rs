//! Redis in two halves, each with clients of its own, over one ledger.

use oncely::testkit::{Pair, Proxy, Redis, RedisOptions};

use super::world::{Pending, holds_answer, redis_at};
use crate::harness::{App, Recipe, RedisChoice, run};

#[test]
fn two_sides_of_redis_replay_one_charge_and_agree_again_once_healed() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        let minority = Redis::start(RedisOptions::default()).await.unwrap();
        let (at_majority, at_minority) = (
            RedisChoice::At(pair.redis.url().to_owned()),
            Proxy::start(minority.url()).await.unwrap(),
        );
        let majority = App::made(Recipe::default().redis(at_majority)).await;
        let recipe = Recipe::default().beside(&majority);
        let cut_off = App::made(recipe.redis(RedisChoice::At(at_minority.url().to_owned()))).await;

        // In flight on one side, invisible on the other: the ledger's lock is the one that counts.
        let (held, first) =
            Pending::held(&cut_off, "store.transactional.after_work", "k-1", 1).await;
        let other = majority.caller().charge("k-1", 1).await;
        assert_eq!(other.code(), "in-flight", "{other:?}");
        held.release();
        let first = first.reply().await;
        assert_eq!((first.status, first.idempotency_status()), (201, "created"));
        let mut lost = redis_at(minority.url()).await;
        holds_answer(&mut lost, &cut_off, ("k-1", 1), &first).await;

        // Only the minority's half was told; the majority asks the ledger, and is told then.
        let replay = majority.caller().charge("k-1", 1).await;
        assert_eq!(replay.idempotency_status(), "replayed", "{replay:?}");
        assert_eq!(replay.essence(), first.essence());
        let mut kept = redis_at(pair.redis.url()).await;
        holds_answer(&mut kept, &majority, ("k-1", 1), &first).await;

        // A second charge is known to the minority alone, whose half is then thrown away.
        let second = cut_off.caller().charge("k-2", 2).await;
        assert_eq!(second.status, 201);
        at_minority.lead_to(pair.redis.url()).await.unwrap();
        for app in [&cut_off, &majority] {
            for (key, amount, answer) in [("k-1", 1, &first), ("k-2", 2, &second)] {
                let replay = app.caller().charge(key, amount).await;
                assert_eq!(replay.idempotency_status(), "replayed", "{replay:?}");
                assert_eq!(replay.essence(), answer.essence());
                assert_eq!(majority.n_charges_of(amount).await, 1);
            }
        }
        assert_eq!(majority.n_records().await, 2);
    });
}
