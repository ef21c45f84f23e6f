//! Deadline, attempts, nesting, and calls that are dropped.

use super::*;
use crate::client::Why;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_holds_nobody_beyond_the_deadline() {
    for millis in [1, 999, 1000, 25_000, 100_000] {
        let script = Script::of([Step::Hang]);
        let began_at = Instant::now();
        let patience = Duration::from_millis(millis);
        let deadline = Deadline::after(patience);
        let (_, cause) = unknown(script.client().run(&mut charge(), deadline).await);
        assert!(began_at.elapsed() <= patience + Duration::from_millis(1));
        assert!(matches!(cause.why, Why::Deadline | Why::Attempts));
        let n_expected = usize::try_from(millis / 10_000).unwrap() + 1;
        assert_eq!(script.n_seen(), n_expected.min(3), "{millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline() {
    let script = Script::of([status(201)]);
    let over = Deadline::after(Duration::ZERO);
    let error = script.client().run(&mut charge(), over).await.unwrap_err();
    assert_eq!((error.why, script.n_seen()), (Why::Deadline, 0));
}

#[tokio::test(start_paused = true)]
async fn no_retry_begins_with_less_time_than_an_answer_usually_takes() {
    let mut steps = vec![slow(800, 201); 10];
    steps.push(slow(800, 500));
    let script = Script::of(steps);
    let client = script.client();
    for _ in 0..10 {
        done(client.run(&mut charge(), patient()).await);
    }
    let tight = Deadline::after(Duration::from_millis(1500));
    let began_at = Instant::now();
    let (_, cause) = unknown(client.run(&mut charge(), tight).await);
    assert_eq!((cause.why, script.n_seen()), (Why::Deadline, 11));
    assert_eq!(
        began_at.elapsed(),
        Duration::from_millis(800),
        "and it ends at once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_does_not_open_the_breaker() {
    let mut steps = vec![slow(500, 201); 5];
    steps.extend(vec![Step::Hang; 30]);
    let script = Script::of(steps);
    let client = script.client();
    for _ in 0..5 {
        done(client.run(&mut charge(), patient()).await);
    }
    let hurried = || Deadline::after(Duration::from_millis(100));
    for _ in 0..15 {
        unknown(client.run(&mut charge(), hurried()).await);
    }
    let site = client.sites.of(charge().site(), &client.policy);
    let closed = crate::client::breaker::State::Closed;
    assert_eq!(site.breaker.state(), closed);
    for _ in 0..15 {
        unknown(client.run(&mut charge(), Deadline::after(SECOND)).await);
    }
    assert_ne!(
        site.breaker.state(),
        closed,
        "a second would have been enough"
    );
}

#[tokio::test(start_paused = true)]
async fn inside_somebody_s_attempt_there_is_one_attempt() {
    let mut outer = http::HeaderMap::new();
    outer.insert(ONCELY_ATTEMPT, HeaderValue::from_static("2"));
    let script = Script::of([Step::Refuse]);
    let draft = Operation::post("http://pay.test/charge").nested_in(&outer);
    let mut operation = draft.empty().unwrap();
    let error = script.client().run(&mut operation, patient()).await;
    assert_eq!(error.unwrap_err().why, Why::Nested);
    assert_eq!(operation.n_attempts(), 1);
    let error = script.client().run(&mut operation, patient()).await;
    assert_eq!(error.unwrap_err().why, Why::Nested);
    assert_eq!(operation.n_attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loop_around_the_client_makes_no_more_attempts_than_the_client() {
    let script = Script::of([status(500)]);
    let client = script.client_with(without_breaker());
    let mut operation = charge();
    for _ in 0..3 {
        unknown(client.run(&mut operation, patient()).await);
    }
    assert_eq!(script.n_seen(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_gives_its_token_back_and_sends_nothing() {
    let script = Script::of([hinted(503, "5"), status(201)]);
    let client = script.client();
    let site = client.sites.of(charge().site(), &client.policy);
    let mut operation = charge();
    let call = client.run(&mut operation, patient());
    let cut = tokio::time::timeout(SECOND, call).await;
    assert!(cut.is_err());
    assert_eq!(site.budget.level_milli(), 10_000);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(script.n_seen(), 1);
    assert!(operation.may_be_done());
    assert_eq!(operation.n_attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn while_a_retry_waits_its_token_is_taken() {
    let script = Script::of([hinted(503, "5"), status(201)]);
    let client = script.client();
    let site = client.sites.of(charge().site(), &client.policy);
    let mut operation = charge();
    let looked = async {
        tokio::time::sleep(SECOND).await;
        site.budget.level_milli()
    };
    let (outcome, level) = tokio::join!(client.run(&mut operation, patient()), looked);
    done(outcome);
    assert!((9600..10_000).contains(&level), "{level}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_is_sent_may_be_done() {
    let script = Script::of([Step::Hang, status(201)]);
    let client = script.client();
    let mut operation = charge();
    let cut = tokio::time::timeout(SECOND, client.run(&mut operation, patient())).await;
    assert!(cut.is_err());
    assert!(operation.may_be_done());
    done(client.run(&mut operation, patient()).await);
    let seen = script.seen();
    assert_eq!(
        (seen[0].key == seen[1].key, seen[1].attempt.as_str()),
        (true, "2")
    );
}
