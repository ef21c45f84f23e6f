//! The connection to the ledger, cut after each so many bytes of a whole exchange, both ways.

use std::time::Duration;

use oncely::config::Claim;
use oncely::testkit::Direction;

use super::world::behind_a_proxy;
use crate::harness::{Recipe, RedisChoice, run, until};

/// A step shorter than any statement of ours, and no divisor of their lengths.
const STEP: usize = 37;

/// Longer than any exchange: a sweep that gets there has met every byte.
const FAR: usize = 20_000;

/// Sweeps until a request was over before its cut, and returns how many were cut.
async fn sweep(recipe: Recipe, direction: Direction) -> usize {
    // The epoch's own questions would be counted too, and cut in place of the request.
    let hour = Duration::from_hours(1);
    let recipe = recipe.with(|config| {
        config.ledger.epoch_interval = hour;
        config.ledger.epoch_max_age = hour;
        config.ledger.acquire_timeout = Duration::from_secs(1);
    });
    let (app, proxy, _database) = behind_a_proxy(recipe).await;
    let caller = app.caller();
    assert_eq!(caller.charge("warm", 1_000_000).await.status, 201);
    for (n_cut, n_bytes) in (0..FAR).step_by(STEP).enumerate() {
        let amount = i64::try_from(n_bytes + 1).unwrap();
        let key = format!("k-{amount}");
        let fired = proxy.cut_after_bytes(direction, n_bytes);
        let first = caller.charge(&key, amount).await;
        proxy.disarm();
        let was_cut = fired.wait().await.is_ok();
        assert!(
            first.status == 201 || first.status == 503,
            "{direction:?} {n_bytes}: {first:?}"
        );
        // The server needs a moment to notice that the connection is gone.
        until(|| async {
            let retry = caller.charge(&key, amount).await;
            assert!(matches!(retry.status, 201 | 409 | 503), "{retry:?}");
            if first.status == 201 {
                assert_eq!(retry.essence(), first.essence(), "{direction:?} {n_bytes}");
            }
            retry.status == 201
        })
        .await;
        assert_eq!(app.n_charges_of(amount).await, 1, "{direction:?} {n_bytes}");
        if !was_cut {
            assert_eq!(app.n_charges().await, app.n_records().await);
            return n_cut;
        }
    }
    panic!("no request was over before its cut");
}

fn both_ways(recipe: impl Fn() -> Recipe) {
    run(async {
        for direction in [Direction::Request, Direction::Reply] {
            let n_cut = Box::pin(sweep(recipe(), direction)).await;
            assert!(10 < n_cut, "{direction:?}: only {n_cut} were cut");
        }
    });
}

#[test]
fn a_connection_cut_after_any_number_of_bytes_charges_once() {
    both_ways(Recipe::default);
}

#[test]
fn a_connection_cut_after_any_number_of_bytes_charges_once_without_redis() {
    both_ways(|| Recipe::default().redis(RedisChoice::Absent));
}

#[test]
fn a_connection_cut_after_any_number_of_bytes_charges_once_without_advisory_locks() {
    both_ways(|| Recipe::default().claim(Claim::InsertWait));
}
