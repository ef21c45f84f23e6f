//! Acquiring: one latch, read back whole, and nothing believed that can't be read for certain.

use futures_util::future::join_all;
use oncely::hot::Acquired;

use super::world::{
    acquire, ask, completed, connect, held_answer, held_latch, hot, identity, latch, redis,
    redis_key,
};

#[tokio::test]
async fn one_of_64_concurrent_requests_sets_its_latch_and_the_others_see_it() {
    let redis = redis().await;
    let (one, other) = (hot(&redis).await, hot(&redis).await);
    let identity = identity("k");
    let latches = [(); 64].map(|()| latch());
    let requests = latches.iter().enumerate().map(|(at, latch)| {
        let hot = if at % 2 == 0 { &one } else { &other };
        hot.acquire(&identity, latch)
    });
    let acquired: Vec<_> = join_all(requests).await;
    let acquired: Vec<_> = acquired.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = (0..64)
        .filter(|at| acquired[*at] == Acquired::Latched)
        .collect();
    assert_eq!(winners.len(), 1);
    let seen = held_latch(&latches[winners[0]]);
    assert_eq!(acquired.iter().filter(|it| **it == seen).count(), 63);
}

#[tokio::test]
async fn what_is_held_is_read_back_whole() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let (identity, latch) = (identity("k"), latch());
    assert_eq!(
        hot.acquire(&identity, &latch).await.unwrap(),
        Acquired::Latched
    );
    assert_eq!(acquire(&hot, &identity).await.unwrap(), held_latch(&latch));
    let completed = completed(r#"{"id":"ch_1"}"#);
    hot.complete(&identity, &latch, &completed).await.unwrap();
    assert_eq!(
        acquire(&hot, &identity).await.unwrap(),
        held_answer(&completed)
    );
}

#[tokio::test]
async fn our_own_latch_is_never_somebody_elses() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let (identity, latch) = (identity("k"), latch());
    for _ in 0..2 {
        assert_eq!(
            hot.acquire(&identity, &latch).await.unwrap(),
            Acquired::Latched
        );
    }
}

#[tokio::test]
async fn a_latch_always_has_an_end() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    acquire(&hot, &identity("k")).await.unwrap();
    let key = redis_key(&identity("k"));
    let left_ms: i64 = ask(&redis, &format!("PTTL {key}")).await;
    assert!((1..=15_000).contains(&left_ms), "{left_ms}");
}

#[tokio::test]
async fn what_cannot_be_read_for_certain_is_garbage_and_stays_as_it_is() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let of_another_key = latch().encode(&identity("another"));
    let mut of_another_version = latch().encode(&identity("k"));
    of_another_version[3] = 2;
    let key = redis_key(&identity("k"));
    let mut connection = connect(&redis).await;
    for value in [
        &b""[..],
        b"OK",
        b"PROCESSING",
        &of_another_key,
        &of_another_version,
    ] {
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(value);
        set.exec_async(&mut connection).await.unwrap();
        let acquired = acquire(&hot, &identity("k")).await.unwrap();
        assert_eq!(acquired, Acquired::Garbage, "{value:?}");
        let left: Vec<u8> = ask(&redis, &format!("GET {key}")).await;
        assert_eq!(left, value);
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_garbage_and_no_failure_of_redis() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let key = redis_key(&identity("k"));
    let _: i64 = ask(&redis, &format!("RPUSH {key} 1")).await;
    for _ in 0..10 {
        let acquired = acquire(&hot, &identity("k")).await.unwrap();
        assert_eq!(acquired, Acquired::Garbage);
    }
    let acquired = acquire(&hot, &identity("other")).await.unwrap();
    assert_eq!(acquired, Acquired::Latched, "the breaker is closed");
}
