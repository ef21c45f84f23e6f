//! A request that is lost on its way to us.

use std::time::Duration;

use oncely::testkit::Proxy;

use super::world::Pending;
use crate::harness::{App, Caller, charge_body, run};

/// A client's own patience, long enough for a request that does arrive.
const PATIENCE: Duration = Duration::from_millis(700);

async fn behind_a_proxy() -> (App, Proxy, Caller) {
    let app = App::start().await;
    let proxy = Proxy::start(&app.url).await.unwrap();
    let caller = Caller::new(proxy.url(), "demo-token");
    (app, proxy, caller)
}

/// The retry runs, and the one after it replays.
async fn heals(app: &App, caller: &Caller) {
    let retry = caller.charge("k-1", 1).await;
    assert_eq!(
        (retry.status, retry.idempotency_status()),
        (201, "created"),
        "{retry:?}"
    );
    assert_eq!(caller.charge("k-1", 1).await.essence(), retry.essence());
    assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
}

#[test]
fn a_request_that_the_network_swallows_leaves_nothing_and_its_retry_runs() {
    run(async {
        let (app, proxy, caller) = behind_a_proxy().await;
        proxy.blackhole().await;
        let lost = tokio::time::timeout(PATIENCE, caller.charge("k-1", 1)).await;
        assert!(lost.is_err(), "it was answered: {lost:?}");
        assert!(app.is_untouched().await);
        proxy.pass().await;
        heals(&app, &caller).await;
    });
}

#[test]
fn a_request_whose_connection_breaks_before_its_first_byte_leaves_nothing_and_its_retry_runs() {
    run(async {
        let (app, proxy, caller) = behind_a_proxy().await;
        let cut = proxy.cut_before("POST /charge");
        let headers = [("idempotency-key", "k-1")];
        let method = http::Method::POST;
        let body = charge_body(1);
        let lost = caller.try_send(method, "/charge", &headers, &body);
        assert!(lost.await.is_err());
        cut.wait().await.unwrap();
        assert!(app.is_untouched().await);
        heals(&app, &caller).await;
    });
}

#[test]
fn a_request_that_is_lost_does_not_stop_its_twin_that_arrives() {
    run(async {
        let (app, proxy, caller) = behind_a_proxy().await;
        proxy.blackhole().await;
        let swallowed = Pending::charge(&caller, "k-1", 1);
        let arrived = app.caller().charge("k-1", 1).await;
        assert_eq!(
            (arrived.status, arrived.idempotency_status()),
            (201, "created")
        );
        drop(swallowed);
        proxy.pass().await;
        assert_eq!(caller.charge("k-1", 1).await.essence(), arrived.essence());
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}
