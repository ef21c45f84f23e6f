//! Many calls: what a sick server has to bear, and how soon all is well again.

use futures_util::future::join_all;

use super::*;
use crate::client::Why;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_to_a_dead_server_cost_no_more_than_burst_and_trickle() {
    const N: usize = 10_000;
    let script = Script::of([slow(1, 500)]);
    let client = script.client_with(without_breaker());
    for _ in 0..N {
        unknown(client.run(&mut charge(), patient()).await);
    }
    let seconds = usize::try_from(script.began_at.elapsed().as_secs()).unwrap();
    let n_most = N + 10 + seconds / 10 + 1;
    let n_seen = script.n_seen();
    assert!(
        N + 10 <= n_seen && n_seen <= n_most,
        "{n_seen} in {seconds} s"
    );
}

#[tokio::test(start_paused = true)]
async fn the_breaker_spares_a_dead_server_the_first_tries_too() {
    let script = Script::of([slow(1, 500)]);
    let client = script.client();
    for _ in 0..10_000 {
        let outcome = client.run(&mut charge(), patient()).await;
        if let Err(error) = outcome {
            assert_eq!(error.why, Why::Breaker);
            assert!(error.retry_after.unwrap() <= 5 * SECOND);
        }
    }
    assert!(script.n_seen() < 40, "{}", script.n_seen());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_attempt_that_the_breaker_will_refuse() {
    let script = Script::of([status(500)]);
    let client = script.client();
    for _ in 0..2 {
        unknown(client.run(&mut charge(), patient()).await);
    }
    let began_at = Instant::now();
    let cause = unknown(client.run(&mut charge(), patient()).await).1;
    assert_eq!(
        (cause.why, began_at.elapsed()),
        (Why::Breaker, Duration::ZERO)
    );
    let wait = cause.retry_after.unwrap();
    assert!(wait <= SECOND && !wait.is_zero(), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn asking_again_and_again_what_became_of_it_costs_no_more_than_the_budget() {
    let script = Script::of([slow(1, 500)]);
    let client = script.client_with(without_breaker());
    let mut operation = charge();
    for _ in 0..1000 {
        unknown(client.resolve(&mut operation, patient()).await);
    }
    let seconds = usize::try_from(script.began_at.elapsed().as_secs()).unwrap();
    let n_seen = script.n_seen();
    assert!(n_seen <= 11 + seconds / 10 + 1, "{n_seen} in {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_healthy_server_tells_what_became_of_any_number_of_operations() {
    let mut steps = vec![Step::Hang; 200];
    steps.push(status(201));
    let script = Script::of(steps);
    let client = script.client_with(without_breaker());
    let mut operations: Vec<_> = (0..200).map(|_| charge()).collect();
    let cut = Deadline::after(SECOND);
    for outcome in join_all(operations.iter_mut().map(|it| client.run(it, cut))).await {
        unknown(outcome);
    }
    for operation in &mut operations {
        done(client.resolve(operation, patient()).await);
    }
    assert_eq!(script.n_seen(), 400);
}

#[tokio::test(start_paused = true)]
async fn with_one_failure_in_twenty_nearly_all_succeed_for_a_few_requests_more() {
    const N: usize = 10_000;
    let mut steps = Vec::new();
    for it in 0..2 * N {
        steps.push(slow(1, if it % 20 == 7 { 500 } else { 201 }));
    }
    let script = Script::of(steps);
    let client = script.client();
    let mut n_done = 0;
    for _ in 0..N {
        let outcome = client.run(&mut charge(), patient()).await.unwrap();
        n_done += usize::from(matches!(outcome, Outcome::Done(_)));
    }
    assert_eq!(n_done, N);
    let n_retries = script.n_seen() - N;
    assert!((N / 20..N / 18).contains(&n_retries), "{n_retries}");
}

#[tokio::test(start_paused = true)]
async fn with_every_other_request_failing_the_extra_load_stays_at_a_tenth() {
    let steps = (0..40_000).map(|it| slow(1, if it % 2 == 0 { 500 } else { 201 }));
    let script = Script::of(steps);
    let client = script.client_with(without_breaker());
    let site = client.sites.of(charge().site(), &client.policy);
    // Burn in: the burst is spent.
    while let Some(taken) = site.budget.withdraw(1000) {
        taken.spend();
    }
    let began_at = Instant::now();
    let mut n_done = 0;
    for _ in 0..10_000 {
        let outcome = client.run(&mut charge(), patient()).await.unwrap();
        n_done += usize::from(matches!(outcome, Outcome::Done(_)));
    }
    let trickle = usize::try_from(began_at.elapsed().as_secs() / 10).unwrap() + 1;
    let n_extra = script.n_seen() - 10_000;
    assert!(n_extra <= n_done / 10 + trickle, "{n_extra} of {n_done}");
    assert!(n_extra + 1 >= n_done / 10, "{n_extra} of {n_done}");
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_calls_half_open_one_probes_and_its_success_lets_the_next_through() {
    let mut steps = vec![slow(1, 500); 20];
    steps.push(slow(50, 201));
    let script = Script::of(steps);
    let client = script.client();
    let mut n_opening = 0;
    while script.n_seen() < 20 {
        n_opening += 1;
        client.run(&mut charge(), patient()).await.ok();
    }
    assert!(n_opening <= 20);
    tokio::time::sleep(SECOND).await;
    let calls = (0..100).map(|_| async { client.run(&mut charge(), patient()).await });
    let outcomes = join_all(calls).await;
    let n_done = outcomes.iter().filter(|it| it.is_ok()).count();
    assert_eq!((n_done, script.n_seen()), (1, 21));
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.why, Why::Breaker);
    }
    done(client.run(&mut charge(), patient()).await);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_throttled_keeps_the_breaker_open() {
    let mut steps = vec![slow(1, 500); 20];
    steps.extend([hinted(429, "7"), status(201)]);
    let script = Script::of(steps);
    let client = script.client();
    while script.n_seen() < 20 {
        client.run(&mut charge(), patient()).await.ok();
    }
    tokio::time::sleep(SECOND).await;
    let soon = Deadline::after(SECOND);
    client.run(&mut charge(), soon).await.unwrap_err();
    assert_eq!(script.n_seen(), 21);
    let error = client.run(&mut charge(), soon).await.unwrap_err();
    assert!(error.retry_after.unwrap() > 6 * SECOND, "{error:?}");
    assert_eq!(script.n_seen(), 21);
    tokio::time::sleep(8 * SECOND).await;
    done(client.run(&mut charge(), patient()).await);
}
