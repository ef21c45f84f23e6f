//! What the breaker of a call site does, step by step, on paused time.

use std::time::Duration;

use super::*;

const FAILED: Sample = Sample::Failed(None);
const THROTTLED: Sample = Sample::Throttled(None);

fn tell(breaker: &Breaker, sample: Sample, times: u32) {
    for _ in 0..times {
        breaker.admit(Try::First).unwrap().tell(sample);
    }
}

fn shipped() -> Breaker {
    Breaker::new(Policy::default())
}

/// Open to everybody, with its first pause over.
async fn half_open() -> Breaker {
    let breaker = shipped();
    tell(&breaker, FAILED, 20);
    assert_eq!(breaker.state(), State::Open);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(breaker.state(), State::Probing);
    breaker
}

#[tokio::test(start_paused = true)]
async fn five_hard_failures_in_a_row_refuse_retries_and_not_first_tries() {
    let breaker = shipped();
    tell(&breaker, FAILED, 4);
    tell(&breaker, Sample::Good, 1);
    tell(&breaker, FAILED, 4);
    assert_eq!(breaker.state(), State::Closed, "a success starts anew");
    tell(&breaker, FAILED, 1);
    assert_eq!(breaker.state(), State::RetriesRefused);
    let wait = breaker.admit(Try::Retry).unwrap_err();
    assert!(wait <= Duration::from_secs(1) && wait >= Duration::from_millis(500));
    drop(breaker.admit(Try::First).unwrap());
}

#[tokio::test(start_paused = true)]
async fn throttling_never_counts_in_the_row_and_does_not_end_it() {
    let breaker = shipped();
    tell(&breaker, THROTTLED, 19);
    assert_eq!(breaker.state(), State::Closed);
    let breaker = shipped();
    tell(&breaker, FAILED, 4);
    tell(&breaker, THROTTLED, 4);
    assert_eq!(breaker.state(), State::Closed);
    tell(&breaker, FAILED, 1);
    assert_eq!(breaker.state(), State::RetriesRefused);
}

#[tokio::test(start_paused = true)]
async fn under_half_of_twenty_refuses_retries() {
    let breaker = shipped();
    for _ in 0..10 {
        tell(&breaker, Sample::Good, 1);
        tell(&breaker, THROTTLED, 1);
    }
    assert_eq!(breaker.state(), State::Closed, "half is enough");
    tell(&breaker, THROTTLED, 1);
    assert_eq!(breaker.state(), State::RetriesRefused);
}

#[tokio::test(start_paused = true)]
async fn under_a_tenth_of_twenty_refuses_first_tries_too() {
    let breaker = shipped();
    tell(&breaker, FAILED, 19);
    assert_eq!(breaker.state(), State::RetriesRefused);
    tell(&breaker, FAILED, 1);
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.admit(Try::First).is_err());
}

#[tokio::test(start_paused = true)]
async fn after_an_idle_gap_twenty_fresh_samples_are_needed() {
    let breaker = shipped();
    tell(&breaker, THROTTLED, 19);
    tokio::time::advance(Duration::from_secs(11)).await;
    tell(&breaker, THROTTLED, 19);
    assert_eq!(breaker.state(), State::Closed);
    tell(&breaker, THROTTLED, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_callers_half_open_one_probes() {
    let breaker = half_open().await;
    let permits: Vec<_> = (0..100).map(|_| breaker.admit(Try::First)).collect();
    let mut admitted = permits.into_iter().filter_map(Result::ok);
    let probe = admitted.next().unwrap();
    assert!(probe.is_probe() && admitted.next().is_none());
    probe.tell(Sample::Good);
    assert_eq!(breaker.state(), State::Closed);
    tell(&breaker, FAILED, 4);
    assert_eq!(breaker.state(), State::Closed, "window and row are cleared");
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_doubles_the_pause_up_to_its_longest() {
    for failed in [FAILED, THROTTLED] {
        let breaker = half_open().await;
        for seconds in [2, 4, 5, 5, 5] {
            breaker.admit(Try::Retry).unwrap().tell(failed);
            let pause = breaker.admit(Try::First).unwrap_err();
            let longest = Duration::from_secs(seconds);
            assert!(longest / 2 <= pause && pause <= longest, "{pause:?}");
            tokio::time::advance(pause).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_s_wait_prolongs_the_pause_within_bounds() {
    for (hint, seconds) in [(7, 7), (3600, 60)] {
        let breaker = half_open().await;
        let probe = breaker.admit(Try::First).unwrap();
        probe.tell(Sample::Throttled(Some(Duration::from_secs(hint))));
        let pause = breaker.admit(Try::First).unwrap_err();
        assert_eq!(pause, Duration::from_secs(seconds));
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_was_dropped_leaves_its_place() {
    let breaker = half_open().await;
    drop(breaker.admit(Try::First).unwrap());
    breaker.admit(Try::First).unwrap().tell(Sample::Good);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_period_learns_late_counts_no_more() {
    let breaker = shipped();
    let late: Vec<_> = (0..10)
        .map(|_| breaker.admit(Try::First).unwrap())
        .collect();
    tell(&breaker, FAILED, 5);
    tokio::time::advance(Duration::from_secs(1)).await;
    breaker.admit(Try::Retry).unwrap().tell(Sample::Good);
    for it in late {
        it.tell(FAILED);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn no_settings_are_settings_that_trip_at_once() {
    let breaker = Breaker::new(Policy {
        failures_max: 0,
        samples_min: 0,
        ..Policy::default()
    });
    tell(&breaker, Sample::Good, 1);
    assert_eq!(breaker.state(), State::Closed);
    tell(&breaker, FAILED, 1);
    assert_eq!(breaker.state(), State::RetriesRefused);
}
