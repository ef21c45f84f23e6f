//! The admin port: alive, ready, and how it is doing.

use std::sync::{Arc, LazyLock};

use axum::Router;
use oncely::http::{Policy, Render, Routes, Tx, admin};
use oncely::shutdown::Tasks;
use oncely::telemetry::install_metrics;
use oncely::testkit::Proxy;
use tokio_util::sync::CancellationToken;

use crate::harness::{App, Recipe, RedisChoice, Reply, run, until};

/// The recorder is the process's; every test of this binary that is born after it counts into it.
static RENDER: LazyLock<Render> = LazyLock::new(|| install_metrics(&Tasks::default()).unwrap());

async fn with_admin(recipe: Recipe) -> (App, CancellationToken) {
    let stopping = CancellationToken::new();
    let token = stopping.clone();
    let render = Arc::clone(&RENDER);
    let app = App::serving(recipe, move |store, options, tokens| {
        let routes = Routes::new(store.clone(), options)
            .post("/observed", Policy::required(), async |_: Tx| "done")
            .post("/never-called", Policy::required(), async |_: Tx| "done")
            .authenticate(tokens)
            .into_router();
        Router::new()
            .merge(routes)
            .merge(admin(store.clone(), render, token))
    })
    .await;
    (app, stopping)
}

fn said(reply: &Reply) -> (u16, String) {
    (
        reply.status,
        reply.json()["status"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn a_process_is_alive_and_ready_until_it_stops() {
    run(async {
        let (app, stopping) = with_admin(Recipe::with_redis()).await;
        let caller = app.caller();
        assert_eq!(caller.get("/livez").await.body, "alive\n");
        let ready = caller.get("/readyz").await;
        assert_eq!(said(&ready), (200, "ready".to_owned()), "{ready:?}");
        assert_eq!(ready.json()["ledger"], "up");
        stopping.cancel();
        assert_eq!(
            said(&caller.get("/readyz").await),
            (503, "stopping".to_owned())
        );
        assert_eq!(caller.get("/livez").await.status, 200);
    });
}

#[test]
fn without_redis_a_process_is_degraded_and_still_ready() {
    run(async {
        let (app, _stopping) = with_admin(Recipe::default().redis(RedisChoice::Absent)).await;
        let reply = app.caller().get("/readyz").await;
        assert_eq!(said(&reply), (200, "degraded".to_owned()));
        assert_eq!(
            app.caller().post("/observed", "k-1", "{}").await.status,
            200
        );
    });
}

#[test]
fn without_its_ledger_a_process_is_unavailable_and_comes_back() {
    run(async {
        let home = App::start().await;
        let proxy = Proxy::start(&home.database_url).await.unwrap();
        let (app, _stopping) = with_admin(Recipe::default().database_at(proxy.url())).await;
        assert_eq!(said(&app.caller().get("/readyz").await).0, 200);
        proxy.cut().await;
        until(async || app.caller().get("/readyz").await.status == 503).await;
        assert_eq!(
            app.caller().get("/readyz").await.json()["status"],
            "unavailable"
        );
        assert_eq!(app.caller().get("/livez").await.status, 200);
        proxy.pass().await;
        until(async || app.caller().get("/readyz").await.status == 200).await;
    });
}

/// Every series of an operation that nobody has called.
fn born() -> Vec<String> {
    let labels = [
        (
            "requests",
            "outcome",
            "new not_kept replayed in_flight mismatch not_replayable unavailable outcome_unknown failed",
        ),
        ("attempts", "attempt", "1 2 3 4+"),
        (
            "refused",
            "code",
            "key-missing key-invalid body-invalid body-too-large internal",
        ),
    ];
    let series = labels.into_iter().flat_map(|(name, label, values)| {
        values.split(' ').map(move |value| {
            format!("oncely_{name}_total{{operation=\"POST /never-called\",{label}=\"{value}\"}}")
        })
    });
    series.collect()
}

#[test]
fn metrics_are_born_at_zero_and_count_what_happened() {
    run(async {
        let (app, _stopping) = with_admin(Recipe::with_redis()).await;
        let caller = app.caller();
        caller.post("/observed", "k-1", "{}").await;
        caller.post("/observed", "k-1", "{}").await;
        caller.post("/observed", "k-1", r#"{"a": 1}"#).await;
        caller.post("/observed", "a, b", "{}").await;
        let attempt = [("idempotency-key", "k-1"), ("oncely-attempt", "7")];
        caller
            .send(http::Method::POST, "/observed", &attempt, "{}")
            .await;
        let reply = caller.get("/metrics").await;
        assert_eq!(
            reply.header("content-type"),
            "text/plain; version=0.0.4; charset=utf-8"
        );
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        let value = |series: &str| {
            let line = text.lines().find_map(|it| it.strip_prefix(series));
            line.unwrap_or_else(|| panic!("{series} is not in\n{text}"))
                .trim()
                .to_owned()
        };
        for series in born() {
            assert_eq!(value(&series), "0");
        }
        // Other tests of this binary call the route too, but in other ways.
        assert_eq!(
            value("oncely_requests_total{operation=\"POST /observed\",outcome=\"replayed\"}"),
            "2"
        );
        assert_eq!(
            value("oncely_requests_total{operation=\"POST /observed\",outcome=\"mismatch\"}"),
            "1"
        );
        assert_eq!(
            value("oncely_attempts_total{operation=\"POST /observed\",attempt=\"4+\"}"),
            "1"
        );
        assert_eq!(
            value("oncely_refused_total{operation=\"POST /observed\",code=\"key-invalid\"}"),
            "1"
        );
        assert_eq!(value("oncely_hot_up"), "1");
        assert_eq!(value("oncely_ledger_up"), "1");
        for state in ["idle", "busy"] {
            value(&format!("oncely_ledger_connections{{state=\"{state}\"}}"));
        }
        assert!(!text.contains("k-1"), "a key is never a label");
    });
}
