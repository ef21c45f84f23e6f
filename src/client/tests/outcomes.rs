//! What is known at the end: done, refused, nothing done, or nobody knows.

use super::*;
use crate::client::Why;

#[tokio::test(start_paused = true)]
async fn attempts_without_a_trace_are_an_error_and_nothing_was_done() {
    for step in [Step::Refuse, status(429), status(425)] {
        let script = Script::of([step]);
        let mut operation = charge();
        let error = script.client().run(&mut operation, patient()).await;
        assert_eq!(error.unwrap_err().why, Why::Attempts);
        assert!(!operation.may_be_done());
        assert_eq!(operation.n_attempts(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_its_cause() {
    let script = Script::of([Step::Refuse]);
    let error = script.client().run(&mut charge(), patient()).await;
    let error = error.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "connection refused");
}

#[tokio::test(start_paused = true)]
async fn one_attempt_that_may_have_arrived_makes_the_outcome_unknown() {
    for doubtful in [
        Step::Reset,
        Step::Hang,
        status(500),
        status(503),
        status(408),
    ] {
        let script = Script::of([doubtful, Step::Refuse]);
        let mut operation = charge();
        let (key, cause) = unknown(script.client().run(&mut operation, patient()).await);
        assert_eq!(
            (key.as_str(), cause.why),
            (operation.key().as_str(), Why::Attempts)
        );
        assert!(operation.may_be_done());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_resolved_with_the_same_key() {
    let replay = [("idempotent-replayed", "true".to_owned())];
    let stored = Step::Answer(Duration::ZERO, 201, replay.to_vec(), r#"{"id": "ch_1"}"#);
    let script = Script::of([Step::Reset, Step::Reset, Step::Reset, stored]);
    let client = script.client();
    let mut operation = charge();
    unknown(client.run(&mut operation, patient()).await);
    let (_, cause) = unknown(client.run(&mut operation, patient()).await);
    assert_eq!(
        (cause.why, script.n_seen()),
        (Why::Attempts, 3),
        "run has had its three"
    );
    let answer = done(client.resolve(&mut operation, patient()).await);
    assert!(answer.is_replayed());
    assert_eq!(answer.body, &br#"{"id": "ch_1"}"#[..]);
    let seen = script.seen();
    assert!(
        seen.iter()
            .all(|it| it.key == seen[0].key && it.body == seen[0].body)
    );
    assert_eq!(seen[3].attempt, "4");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_says_nothing_of_an_earlier_attempt_settles_nothing() {
    let silent = [
        status(401),
        status(400),
        status(422),
        problem(401, r#"{"retryable": false, "safe_new_key": false}"#, &[]),
    ];
    for refusal in silent {
        let script = Script::of([Step::Hang, refusal]);
        let (_, cause) = unknown(script.client().run(&mut charge(), patient()).await);
        assert_eq!((cause.why, script.n_seen()), (Why::Refused, 2));
        assert!(cause.last.unwrap().status.is_client_error());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_the_operation_s_own_answer_settles_it() {
    let telling = [
        status(402),
        problem(409, "{}", &[("idempotency-status", "replayed")]),
        problem(422, "{}", &[("idempotency-status", "created")]),
        problem(403, r#"{"safe_new_key": true}"#, &[]),
    ];
    for refusal in telling {
        let script = Script::of([Step::Hang, refusal]);
        let mut operation = charge();
        rejected(script.client().run(&mut operation, patient()).await);
        assert!(!operation.may_be_done());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_happened_is_believed() {
    let nothing = problem(
        503,
        r#"{"retryable": true, "retry_same_key": true, "safe_new_key": true}"#,
        &[],
    );
    let script = Script::of([Step::Reset, nothing]);
    let error = script.client().run(&mut charge(), patient()).await;
    assert_eq!(error.unwrap_err().why, Why::Attempts);
}

#[tokio::test(start_paused = true)]
async fn done_without_an_answer_left_is_done() {
    let body = r#"{"code": "response-not-replayable", "retryable": false,
                   "retry_same_key": false, "safe_new_key": false}"#;
    let script = Script::of([
        Step::Reset,
        problem(409, body, &[("idempotency-status", "replayed")]),
    ]);
    let answer = done(script.client().run(&mut charge(), patient()).await);
    assert_eq!(answer.status.as_u16(), 409);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_back_is_in_doubt_until_it_is_declared_unsent() {
    let stored = serde_json::to_string(&charge()).unwrap();
    let mut operation: Operation = serde_json::from_str(&stored).unwrap();
    let script = Script::of([status(400)]);
    unknown(script.client().run(&mut operation, patient()).await);
    let mut operation: Operation = serde_json::from_str(&stored).unwrap();
    operation.declare_unsent();
    rejected(script.client().run(&mut operation, patient()).await);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_servers_may_have_forgotten_is_not_sent() {
    let two_days = Duration::from_hours(48);
    let then = crate::clock::now() - two_days;
    let unix = u64::try_from(then.unix_timestamp()).unwrap();
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, unix, 0);
    let mut operation = charge();
    operation.key = uuid::Uuid::new_v7(stamp);
    let script = Script::of([status(201)]);
    operation.may_be_done = true;
    let (_, cause) = unknown(script.client().run(&mut operation, patient()).await);
    assert_eq!((cause.why, script.n_seen()), (Why::Expired, 0));
    let policy = Policy {
        key_lifetime: 2 * two_days,
        ..Policy::default()
    };
    done(
        script
            .client_with(policy)
            .run(&mut operation, patient())
            .await,
    );
}
