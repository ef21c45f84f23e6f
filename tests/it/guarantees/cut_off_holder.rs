//! The holder of a key is cut off from Postgres without a word: no FIN, no RST.

use std::time::Duration;

use oncely::config::Claim;
use oncely::testkit::Proxy;
use tokio::time::Instant;

use super::world::Pending;
use crate::harness::{App, Recipe, run};

/// How long a transaction may idle here.
const IDLE: Duration = Duration::from_millis(300);

/// The default is 5 s, so this tells whether our setting or another one freed the key.
const FREED_WITHIN: Duration = Duration::from_secs(4);

#[test]
fn a_holder_behind_a_black_hole_keeps_its_key_for_the_idle_timeout_and_starves_no_pool() {
    run(async {
        for claim in [Claim::Advisory, Claim::InsertWait] {
            one(claim).await;
        }
    });
}

async fn one(claim: Claim) {
    let home = App::made(Recipe::default().claim(claim)).await;
    let proxy = Proxy::start(&home.database_url).await.unwrap();
    let recipe = Recipe::default().claim(claim).beside(&home);
    let recipe = recipe.database_at(proxy.url()).with(|config| {
        config.ledger.idle_in_transaction_timeout = IDLE;
        config.ledger.operation_timeout = Duration::from_secs(2);
        config.ledger.acquire_timeout = Duration::from_secs(1);
        // A place that the lost connection held would be the only one.
        config.ledger.pool_size = 1;
    });
    let cut_off = App::made(recipe).await;
    let caller = home.caller();

    let (held, lost) = Pending::held(&cut_off, "store.transactional.after_work", "k-1", 1).await;
    proxy.blackhole().await;
    let since = Instant::now();
    assert_eq!(
        caller.charge("k-1", 1).await.code(),
        "in-flight",
        "{claim:?}"
    );
    let other = caller.charge("k-2", 2).await;
    assert_eq!(
        other.status, 201,
        "{claim:?}: other keys are served: {other:?}"
    );
    let retry = loop {
        let reply = caller.charge("k-1", 1).await;
        if reply.status != 409 {
            break reply;
        }
        assert!(since.elapsed() < FREED_WITHIN, "{claim:?}: {reply:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(
        retry.idempotency_status(),
        "created",
        "{claim:?}: {retry:?}"
    );

    // Still cut off, it gives up; and it has not committed.
    held.release();
    let lost = lost.reply().await;
    assert_eq!(lost.status, 503, "{claim:?}: {lost:?}");
    proxy.pass().await;
    let again = cut_off.caller().charge("k-1", 1).await;
    assert_eq!(again.essence(), retry.essence(), "{claim:?}");
    let fresh = cut_off.caller().charge("k-3", 3).await;
    assert_eq!(fresh.status, 201, "{claim:?}: its pool is whole: {fresh:?}");
    for amount in 1..=3 {
        assert_eq!(home.n_charges_of(amount).await, 1, "{claim:?}");
    }
    assert_eq!((home.n_charges().await, home.n_records().await), (3, 3));
}
