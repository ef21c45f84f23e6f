//! Redis gone, killed, hanging, full, demoted or cut off: told in time, and healed by itself.

use std::time::Duration;

use oncely::config::Hot as Settings;
use oncely::hot::{Acquired, Class, Hot, Operation, Reason, Refusal, Released, Status};

use super::world::{
    absent_redis, acquire, ask, completed, held_answer, hot, hot_with, identity, latch, recovered,
    redis,
};

fn degraded(reason: Reason) -> Status {
    Status::Degraded { reason }
}

/// Acquires until the breaker opens or the connections are gone. From then on nothing is waited
/// for, which is what [`Class::Open`] says.
async fn fails_until_it_is_at_once(hot: &Hot) {
    for _ in 0..6 {
        if acquire(hot, &identity("k")).await.unwrap_err().class == Class::Open {
            break;
        }
    }
    let mut n_open = 0;
    for _ in 0..100 {
        let error = acquire(hot, &identity("k")).await.unwrap_err();
        n_open += usize::from(error.class == Class::Open);
    }
    // A probe of the breaker may slip in between: it costs the timeout, once a pause.
    assert!(n_open > 90, "{n_open} of 100");
    assert_ne!(hot.status(), Status::Up);
}

#[tokio::test]
async fn without_redis_every_step_says_so_at_once() {
    let absent = Hot::absent();
    assert_eq!(absent.status(), degraded(Reason::Absent));
    let port_without_server = absent_redis().await;
    for hot in [absent, hot(&port_without_server).await] {
        let (identity, latch, answer) = (identity("k"), latch(), completed("{}"));
        let acquire = hot.acquire(&identity, &latch).await.unwrap_err();
        let complete = hot.complete(&identity, &latch, &answer).await.unwrap_err();
        let release = hot.release(&identity, &latch).await.unwrap_err();
        for (error, operation) in [
            (acquire, Operation::Acquire),
            (complete, Operation::Complete),
            (release, Operation::Release),
        ] {
            assert_eq!((error.operation, error.class), (operation, Class::Open));
        }
    }
}

#[tokio::test]
async fn a_redis_that_comes_later_is_found() {
    let redis = absent_redis().await;
    let hot = hot(&redis).await;
    assert!(acquire(&hot, &identity("k")).await.is_err());
    redis.restart().await.unwrap();
    assert_eq!(recovered(&hot, &identity("k")).await, Acquired::Latched);
}

#[tokio::test]
async fn a_redis_that_was_killed_and_started_again_is_used_again() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    acquire(&hot, &identity("k")).await.unwrap();
    redis.kill().await.unwrap();
    fails_until_it_is_at_once(&hot).await;
    redis.restart().await.unwrap();
    recovered(&hot, &identity("k")).await;
}

#[tokio::test]
async fn a_redis_that_hangs_costs_its_timeout_a_few_times_and_is_used_again_when_it_wakes() {
    let redis = redis().await;
    let settings = Settings::default();
    let hot = hot_with(&redis, &settings).await;
    redis.pause().await.unwrap();
    fails_until_it_is_at_once(&hot).await;
    redis.resume().await.unwrap();
    recovered(&hot, &identity("k")).await;
}

#[tokio::test]
async fn five_timeouts_in_a_row_open_the_breaker() {
    let redis = redis().await;
    let settings = Settings {
        // So long that the connections are not given up meanwhile.
        connect_timeout: Duration::from_mins(1),
        breaker_pause: Duration::from_millis(500),
        ..Settings::default()
    };
    let hot = hot_with(&redis, &settings).await;
    redis.pause().await.unwrap();
    for _ in 0..settings.breaker_failures {
        let error = acquire(&hot, &identity("k")).await.unwrap_err();
        assert_eq!(error.class, Class::Timeout);
    }
    let error = acquire(&hot, &identity("k")).await.unwrap_err();
    assert_eq!(error.class, Class::Open);
    assert_eq!(hot.status(), degraded(Reason::Failing));
    redis.resume().await.unwrap();
    recovered(&hot, &identity("k")).await;
}

#[tokio::test]
async fn connections_that_are_cut_heal() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    for _ in 0..3 {
        let _: i64 = ask(&redis, "CLIENT KILL TYPE normal SKIPME yes").await;
        recovered(&hot, &identity("k")).await;
    }
}

#[tokio::test]
async fn a_full_redis_refuses_what_is_new_and_still_replays() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let (done, pending, answer) = (identity("done"), identity("pending"), completed("{}"));
    hot.complete(&done, &latch(), &answer).await.unwrap();
    let ours = latch();
    hot.acquire(&pending, &ours).await.unwrap();
    let () = ask(&redis, "CONFIG SET maxmemory-policy noeviction").await;
    let () = ask(&redis, "CONFIG SET maxmemory 1kb").await;
    for _ in 0..10 {
        let error = acquire(&hot, &identity("new")).await.unwrap_err();
        assert_eq!(error.class, Class::Refused(Refusal::Full));
        let acquired = acquire(&hot, &done).await.unwrap();
        assert_eq!(acquired, held_answer(&answer));
    }
    assert_eq!(hot.status(), degraded(Reason::Full));
    let error = hot.complete(&pending, &ours, &answer).await.unwrap_err();
    assert_eq!(error.class, Class::Refused(Refusal::Full));
    let released = hot.release(&pending, &ours).await.unwrap();
    assert_eq!(released, Released::Absent, "complete took the latch away");
    let () = ask(&redis, "CONFIG SET maxmemory 0").await;
    let acquired = acquire(&hot, &identity("new")).await.unwrap();
    assert_eq!(acquired, Acquired::Latched);
    assert_eq!(hot.status(), Status::Up);
}

#[tokio::test]
async fn a_replica_answers_nothing_and_connections_are_made_anew() {
    let redis = redis().await;
    let hot = hot(&redis).await;
    let answer = completed("{}");
    hot.complete(&identity("done"), &latch(), &answer)
        .await
        .unwrap();
    let accepted = |stats: String| -> u64 {
        let mut lines = stats.lines();
        let accepted = lines.find_map(|it| it.strip_prefix("total_connections_received:"));
        accepted.unwrap().parse().unwrap()
    };
    let before = accepted(ask(&redis, "INFO stats").await);
    // Of a primary that nobody can reach: the data stays, and writes are refused.
    let () = ask(&redis, "REPLICAOF 127.0.0.1 1").await;
    let error = acquire(&hot, &identity("done")).await.unwrap_err();
    assert_eq!(error.class, Class::Refused(Refusal::ReadOnly));
    let error = acquire(&hot, &identity("done")).await.unwrap_err();
    assert_eq!(error.class, Class::Open, "all connections were dropped");
    let () = ask(&redis, "REPLICAOF NO ONE").await;
    let acquired = recovered(&hot, &identity("done")).await;
    assert_eq!(acquired, held_answer(&answer));
    // Two commands and this question, over a connection each; the rest is the hot path's.
    let of_the_test = 3;
    let after = accepted(ask(&redis, "INFO stats").await);
    assert!(before + of_the_test < after, "{before} {after}");
}
