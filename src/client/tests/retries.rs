//! What is sent again, and with what.

use super::*;
use crate::client::Why;

#[tokio::test(start_paused = true)]
async fn every_attempt_has_the_same_key_and_bytes_and_its_own_number() {
    let script = Script::of([Step::Reset, status(503), status(201)]);
    let mut operation = charge();
    done(script.client().run(&mut operation, patient()).await);
    let seen = script.seen();
    let key = format!("\"{}\"", operation.key().as_str());
    for (seen, attempt) in seen.iter().zip(["1", "2", "3"]) {
        assert_eq!((seen.key.as_str(), seen.attempt.as_str()), (&*key, attempt));
        assert_eq!(seen.body, &br#"{"amount":4200}"#[..]);
    }
    assert_eq!((seen.len(), operation.n_attempts()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_read_back_goes_on_with_the_same_key_and_bytes() {
    let script = Script::of([Step::Hang, status(201)]);
    let client = script.client();
    let mut operation = charge();
    let kept = serde_json::to_string(&operation).unwrap();
    let soon = Deadline::after(Duration::from_secs(1));
    unknown(client.run(&mut operation, soon).await);
    drop(operation);
    let mut read_back: Operation = serde_json::from_str(&kept).unwrap();
    done(script.client().run(&mut read_back, patient()).await);
    let seen = script.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((&seen[0].key, &seen[0].body), (&seen[1].key, &seen[1].body));
}

#[tokio::test(start_paused = true)]
async fn what_can_succeed_later_is_sent_again() {
    for code in [408, 425, 429, 500, 502, 503, 504] {
        let script = Script::of([status(code), status(201)]);
        done(script.client().run(&mut charge(), patient()).await);
        assert_eq!(script.n_seen(), 2, "{code}");
    }
    for step in [Step::Reset, Step::Refuse] {
        let script = Script::of([step, status(201)]);
        done(script.client().run(&mut charge(), patient()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_refuses_is_never_sent_again() {
    for code in [400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 451] {
        let script = Script::of([status(code), status(201)]);
        let mut operation = charge();
        let answer = rejected(script.client().run(&mut operation, patient()).await);
        assert_eq!((answer.status.as_u16(), script.n_seen()), (code, 1));
        assert!(!operation.may_be_done(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_changes_the_method_is_an_error() {
    for code in [301, 302, 304] {
        let script = Script::of([status(code)]);
        let error = script.client().run(&mut charge(), patient()).await;
        let error = error.unwrap_err();
        assert_eq!((error.why, script.n_seen()), (Why::Redirected, 1), "{code}");
        assert_eq!(error.last.unwrap().status.as_u16(), code);
    }
    // See other: it may say that the order is made.
    let script = Script::of([status(303)]);
    let (_, cause) = unknown(script.client().run(&mut charge(), patient()).await);
    assert_eq!(cause.why, Why::Redirected);
}

#[tokio::test(start_paused = true)]
async fn the_server_s_word_goes_before_the_table() {
    let no = r#"{"retryable": false, "retry_same_key": true, "safe_new_key": false}"#;
    let script = Script::of([problem(503, no, &[("retry-after", "1")])]);
    let (_, cause) = unknown(script.client().run(&mut charge(), patient()).await);
    assert_eq!((cause.why, script.n_seen()), (Why::Failed, 1));
    let yes = r#"{"retryable": true, "retry_same_key": true, "safe_new_key": false}"#;
    let script = Script::of([problem(423, yes, &[]), status(201)]);
    done(script.client().run(&mut charge(), patient()).await);
    let other_key = r#"{"retryable": true, "retry_same_key": false, "safe_new_key": true}"#;
    let script = Script::of([problem(503, other_key, &[]), status(201)]);
    rejected(script.client().run(&mut charge(), patient()).await);
    assert_eq!(script.n_seen(), 1);
}

#[tokio::test(start_paused = true)]
async fn in_flight_is_waited_for_and_is_no_failure_of_the_server() {
    let in_flight = problem(
        409,
        r#"{"code": "in-flight", "retryable": true, "retry_same_key": true}"#,
        &[("idempotency-status", "in-flight"), ("retry-after", "1")],
    );
    let mut steps = Vec::new();
    for _ in 0..30 {
        steps.extend([in_flight.clone(), in_flight.clone(), status(201)]);
    }
    let script = Script::of(steps);
    let mut policy = Policy::default();
    policy.budget.capacity_milli = 100_000;
    let client = script.client_with(policy);
    for it in 0..30 {
        let mut operation = charge();
        let began_at = Instant::now();
        done(client.run(&mut operation, patient()).await);
        assert!(began_at.elapsed() >= Duration::from_secs(2), "{it}");
        assert_eq!(operation.n_attempts(), 3);
    }
    let site = client.sites.of(charge().site(), &client.policy);
    let state = site.breaker.state();
    assert_eq!(state, crate::client::breaker::State::Closed);
    assert_eq!(site.held_back(), None, "it was about one key");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_one_key_holds_no_other_call_back() {
    for (code, what) in [(409, "in-flight"), (503, "unknown")] {
        let headers = [("idempotency-status", what), ("retry-after", "30")];
        let advice = r#"{"retryable": true, "retry_same_key": true}"#;
        let script = Script::of([problem(code, advice, &headers), status(201)]);
        let client = script.client();
        let (mut waiting, mut other) = (charge(), charge());
        let later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            done(client.run(&mut other, patient()).await);
        };
        let (outcome, ()) = tokio::join!(client.run(&mut waiting, patient()), later);
        done(outcome);
        let seen = script.seen();
        assert_eq!(seen[1].at, Duration::from_secs(1), "{what}");
        assert!(seen[2].at >= Duration::from_secs(30), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn backoff_is_drawn_anew_from_the_doubling_interval() {
    let mut waits: [Vec<u128>; 2] = Default::default();
    for _ in 0..300 {
        let script = Script::of([status(500), status(500), status(201)]);
        done(script.client().run(&mut charge(), patient()).await);
        let seen = script.seen();
        waits[0].push(seen[1].at.abs_diff(seen[0].at).as_millis());
        waits[1].push(seen[2].at.abs_diff(seen[1].at).as_millis());
    }
    // The timer is as fine as a millisecond.
    for (waits, longest) in waits.iter().zip([50, 100]) {
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*most <= longest + 1 && *most > longest * 9 / 10, "{most}");
        assert!(*least < longest / 10, "{least}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_transcript_tells_each_attempt_its_wait_and_why() {
    let script = Script::of([Step::Reset, hinted(503, "2"), status(201)]);
    let mut operation = charge();
    done(script.client().run(&mut operation, patient()).await);
    let text = format!("{:?}", operation.transcript());
    let lines: Vec<_> = text.lines().collect();
    for (line, words) in lines.iter().zip([
        "attempt 1: no answer after 0.000 s, may have arrived: connection reset",
        ": full jitter, the server failed",
        "attempt 2: 503 in 0.000 s, Retry-After 2.000 s; again: the server has too much to do",
        ": the server asked for 2.000 s",
        "attempt 3: 201 in 0.000 s; done",
    ]) {
        assert!(line.ends_with(words), "{line:?} is not {words:?}");
    }
    assert_eq!(lines.len(), 5, "{text}");
}
