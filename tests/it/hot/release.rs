//! Releasing: our latch and nothing else.

use oncely::hot::{Acquired, Released};

use super::world::{
    acquire, ask, completed, held_answer, held_latch, hot, identity, latch, redis, redis_key,
};

#[tokio::test]
async fn release_takes_our_latch_away() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let (identity, latch) = (identity("k"), latch());
    hot.acquire(&identity, &latch).await.unwrap();
    let released = hot.release(&identity, &latch).await.unwrap();
    assert_eq!(released, Released::Released);
    let released = hot.release(&identity, &latch).await.unwrap();
    assert_eq!(released, Released::Absent);
    let acquired = acquire(&hot, &identity).await.unwrap();
    assert_eq!(acquired, Acquired::Latched);
}

#[tokio::test]
async fn release_leaves_what_is_not_ours() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let (identity, theirs, answer) = (identity("k"), latch(), completed("{}"));
    hot.acquire(&identity, &theirs).await.unwrap();
    let released = hot.release(&identity, &latch()).await.unwrap();
    assert_eq!(released, Released::Other);
    let acquired = acquire(&hot, &identity).await.unwrap();
    assert_eq!(acquired, held_latch(&theirs));

    hot.complete(&identity, &theirs, &answer).await.unwrap();
    let released = hot.release(&identity, &theirs).await.unwrap();
    assert_eq!(released, Released::Other);
    let acquired = acquire(&hot, &identity).await.unwrap();
    assert_eq!(acquired, held_answer(&answer));
}

#[tokio::test]
async fn release_leaves_a_value_of_another_type() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let key = redis_key(&identity("k"));
    let _: i64 = ask(&redis, &format!("RPUSH {key} 1")).await;
    let released = hot.release(&identity("k"), &latch()).await.unwrap();
    assert_eq!(released, Released::Other);
    let length: i64 = ask(&redis, &format!("LLEN {key}")).await;
    assert_eq!(length, 1);
}

#[tokio::test]
async fn release_works_after_redis_forgot_the_script() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    for key in ["a", "b"] {
        let (identity, latch) = (identity(key), latch());
        hot.acquire(&identity, &latch).await.unwrap();
        let () = ask(&redis, "SCRIPT FLUSH").await;
        let released = hot.release(&identity, &latch).await.unwrap();
        assert_eq!(released, Released::Released);
    }
}
