//! Completing: the committed answer replaces everything, and dies no later than its record.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use oncely::domain::Stored;
use oncely::hot::{Acquired, Cached, Completed, Envelope};
use oncely::testkit::Redis;

use super::world::{
    acquire, ask, completed, held_answer, held_latch, hot, identity, latch, redis, redis_key,
    whole_second,
};

async fn expires_at_ms(redis: &Redis, key: &str) -> i64 {
    let key = redis_key(&identity(key));
    ask(redis, &format!("PEXPIRETIME {key}")).await
}

fn to_ms(instant: time::OffsetDateTime) -> i64 {
    instant.unix_timestamp() * 1_000
}

#[tokio::test]
async fn a_completed_answer_replaces_anothers_latch_garbage_and_other_types() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    hot.acquire(&identity("latch"), &latch()).await.unwrap();
    let garbage = redis_key(&identity("garbage"));
    let () = ask(&redis, &format!("SET {garbage} x")).await;
    let list = redis_key(&identity("list"));
    let _: i64 = ask(&redis, &format!("RPUSH {list} 1")).await;
    for key in ["latch", "garbage", "list", "nothing"] {
        let answer = completed(key);
        let cached = hot.complete(&identity(key), &latch(), &answer).await;
        assert_eq!(cached.unwrap(), Cached::Written);
        let acquired = acquire(&hot, &identity(key)).await.unwrap();
        assert_eq!(acquired, held_answer(&answer));
    }
}

#[tokio::test]
async fn an_answer_stays_for_the_retention_but_never_past_its_record() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let long = completed("{}");
    let mut short = completed("{}");
    short.content.expires_at = whole_second() + Duration::from_mins(5);
    for (key, answer) in [("long", &long), ("short", &short)] {
        let identity = identity(key);
        hot.complete(&identity, &latch(), answer).await.unwrap();
    }
    let retained = long.content.completed_at + Duration::from_hours(1);
    assert_eq!(expires_at_ms(&redis, "long").await, to_ms(retained));
    let expected = to_ms(short.content.expires_at);
    assert_eq!(expires_at_ms(&redis, "short").await, expected);
}

#[tokio::test]
async fn an_answer_of_an_expired_record_only_takes_the_latch_away() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    for (key, expires_at) in [
        ("past", whole_second() - Duration::from_secs(1)),
        ("ancient", time::OffsetDateTime::UNIX_EPOCH),
    ] {
        let (identity, latch) = (identity(key), latch());
        hot.acquire(&identity, &latch).await.unwrap();
        let mut expired = completed("{}");
        expired.content.expires_at = expires_at;
        let cached = hot.complete(&identity, &latch, &expired).await.unwrap();
        assert_eq!(cached, Cached::Written);
        let acquired = acquire(&hot, &identity).await.unwrap();
        assert_eq!(acquired, Acquired::Latched);
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_only_takes_our_own_latch_away() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let (fits, large) = (
        completed(&"x".repeat(16_384)),
        completed(&"x".repeat(16_385)),
    );
    let (identity, ours, theirs) = (identity("k"), latch(), latch());

    hot.acquire(&identity, &ours).await.unwrap();
    let cached = hot.complete(&identity, &ours, &large).await.unwrap();
    assert_eq!(cached, Cached::TooLarge);
    let acquired = hot.acquire(&identity, &theirs).await.unwrap();
    assert_eq!(acquired, Acquired::Latched, "ours is gone");

    hot.complete(&identity, &ours, &large).await.unwrap();
    let acquired = acquire(&hot, &identity).await.unwrap();
    assert_eq!(acquired, held_latch(&theirs), "theirs is not");

    let cached = hot.complete(&identity, &ours, &fits).await.unwrap();
    assert_eq!(cached, Cached::Written);
}

#[tokio::test]
async fn a_tombstone_is_kept_like_any_answer() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let mut answer = completed("");
    let status = answer.content.stored.status();
    answer.content.stored = Stored::TooLarge { status };
    let identity = identity("k");
    hot.complete(&identity, &latch(), &answer).await.unwrap();
    let acquired = acquire(&hot, &identity).await.unwrap();
    assert_eq!(acquired, held_answer(&answer));
}

/// Polls once and says whether that was enough.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut *future).poll(context);
        Poll::Ready(match polled {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_polls_a_completion_once_finds_the_answer_and_not_the_latch() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let answer: Envelope<Completed> = completed("{}");
    for round in 0..200 {
        let (identity, latch) = (identity(&round.to_string()), latch());
        hot.acquire(&identity, &latch).await.unwrap();
        let mut completion = pin!(hot.complete(&identity, &latch, &answer));
        let done = poll_once(&mut completion).await;
        // Nobody waits for the completion, and still it comes first.
        let acquired = acquire(&hot, &identity).await.unwrap();
        assert_eq!(acquired, held_answer(&answer), "round {round}");
        if done.is_none() {
            completion.await.unwrap();
        }
    }
}
