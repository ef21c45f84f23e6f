//! `Retry-After`: honoured, never early, spread, remembered.

use futures_util::future::join_all;

use super::*;
use crate::client::Why;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn nobody_comes_back_before_the_server_s_wait_or_long_after() {
    for _ in 0..100 {
        let script = Script::of([hinted(429, "5"), status(201)]);
        done(script.client().run(&mut charge(), patient()).await);
        let at = script.seen()[1].at;
        // The timer is as fine as a millisecond.
        assert!(
            5 * SECOND <= at && at <= 6 * SECOND + Duration::from_millis(1),
            "{at:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_is_a_wait_by_the_server_s_own_clock() {
    let headers = vec![
        ("date", "Sun, 22 Nov 2026 02:00:00 GMT".to_owned()),
        ("retry-after", "Sun, 22 Nov 2026 02:00:03 GMT".to_owned()),
    ];
    let step = Step::Answer(Duration::ZERO, 503, headers, "");
    let script = Script::of([step, status(201)]);
    done(script.client().run(&mut charge(), patient()).await);
    let at = script.seen()[1].at;
    assert!((3 * SECOND..4 * SECOND).contains(&at), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_none_falls_back_to_backoff() {
    for hint in [
        "0",
        "-1",
        "99999999999",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "x",
    ] {
        let script = Script::of([hinted(503, hint), status(201)]);
        done(script.client().run(&mut charge(), patient()).await);
        let at = script.seen()[1].at;
        assert!(at <= SECOND + Duration::from_millis(1), "{hint}: {at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_ends_the_call_at_once_and_is_told() {
    let script = Script::of([hinted(429, "30")]);
    let began_at = Instant::now();
    let soon = Deadline::after(10 * SECOND);
    let error = script.client().run(&mut charge(), soon).await.unwrap_err();
    assert_eq!((error.why, script.n_seen()), (Why::Deadline, 1));
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    let wait = error.retry_after.unwrap();
    assert!(30 * SECOND <= wait && wait <= 31 * SECOND, "{wait:?}");
    assert_eq!(error.last.unwrap().status.as_u16(), 429);
}

#[tokio::test(start_paused = true)]
async fn a_later_call_to_the_site_waits_or_fails_fast_and_another_site_does_not() {
    let script = Script::of([hinted(503, "30"), status(201)]);
    let client = script.client();
    let soon = Deadline::after(10 * SECOND);
    unknown(client.run(&mut charge(), soon).await);
    let error = client.run(&mut charge(), soon).await.unwrap_err();
    assert_eq!((error.why, script.n_seen()), (Why::Deadline, 1));
    assert!(error.retry_after.unwrap() >= 30 * SECOND);
    let elsewhere = Operation::post("http://pay.test/refund").empty();
    done(client.run(&mut elsewhere.unwrap(), soon).await);
    assert_eq!(script.n_seen(), 2);
    done(client.run(&mut charge(), patient()).await);
    let at = script.seen()[2].at;
    assert!(
        (30 * SECOND..=31 * SECOND + Duration::from_millis(1)).contains(&at),
        "{at:?}"
    );
}

/// Of 1,000 uniform instants in one second, each tenth gets about 100: under 50 or over 160 is
/// more than five standard deviations off.
fn are_apart(mut instants: Vec<Duration>) {
    instants.sort_unstable();
    assert!(instants[0] >= 5 * SECOND, "{:?}", instants[0]);
    let mut tenths = [0_u32; 10];
    for at in &instants {
        let tenth = at.abs_diff(5 * SECOND).as_millis() / 100;
        tenths[usize::try_from(tenth).unwrap().min(9)] += 1;
    }
    assert!(tenths.iter().all(|it| (50..160).contains(it)), "{tenths:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_clients_that_were_told_to_wait_do_not_come_back_together() {
    let mut steps = vec![hinted(429, "5"); 1000];
    steps.push(status(201));
    let script = Script::of(steps);
    let clients: Vec<_> = (0..1000).map(|_| script.client()).collect();
    let calls = clients.iter().map(|client| async move {
        done(client.run(&mut charge(), patient()).await);
    });
    join_all(calls).await;
    let seen = script.seen();
    assert_eq!(seen.len(), 2000);
    are_apart(seen[1000..].iter().map(|it| it.at).collect());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_tries_that_a_site_holds_back_do_not_go_together() {
    let script = Script::of([hinted(429, "5"), status(201)]);
    let client = script.client();
    let soon = Deadline::after(SECOND);
    client.run(&mut charge(), soon).await.unwrap_err();
    let calls = (0..1000).map(|_| async {
        done(client.run(&mut charge(), patient()).await);
    });
    join_all(calls).await;
    are_apart(script.seen()[1..].iter().map(|it| it.at).collect());
}
