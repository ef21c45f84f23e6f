//! Many requests with the same key at once.

use futures_util::future::join_all;

use crate::harness::{App, VARIANTS, Variant, run};

const N_AT_ONCE: usize = 64;

/// How many keys a variant gets. Bugs of the claim itself show in one key of five, so the two variants
/// in which everything, or the primary key alone, must hold get enough keys to meet them.
fn n_rounds(variant: Variant) -> i64 {
    match variant {
        Variant::Shipped | Variant::LockStubbed => 25,
        Variant::RedisAbsent
        | Variant::LockStubbedWithRedis
        | Variant::InsertWait
        | Variant::InsertWaitWithRedis => 4,
    }
}

#[test]
fn of_64_simultaneous_requests_one_executes_and_the_others_wait_or_replay() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            let caller = app.caller();
            for amount in 1..=n_rounds(variant) {
                let key = format!("k-{amount}");
                let replies = join_all((0..N_AT_ONCE).map(|_| caller.charge(&key, amount))).await;
                let n = |status: &str| {
                    replies
                        .iter()
                        .filter(|it| it.idempotency_status() == status)
                        .count()
                };
                assert_eq!(n("created"), 1, "{variant:?}: {replies:?}");
                assert_eq!(
                    1 + n("replayed") + n("in-flight"),
                    N_AT_ONCE,
                    "{variant:?}: {replies:?}"
                );
                let created = replies
                    .iter()
                    .find(|it| it.idempotency_status() == "created")
                    .unwrap();
                for reply in &replies {
                    match reply.idempotency_status() {
                        "replayed" => assert_eq!(reply.essence(), created.essence()),
                        "in-flight" => {
                            assert_eq!((reply.status, reply.code().as_str()), (409, "in-flight"));
                        }
                        _ => assert_eq!(reply.status, 201),
                    }
                }
                assert_eq!(app.n_charges_of(amount).await, 1, "{variant:?}");
            }
            assert_eq!(app.n_open_transactions().await, 0, "{variant:?}");
        }
    });
}
