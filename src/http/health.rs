//! The admin port: is the process alive, is it ready, and how is it doing.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::hot;
use crate::store::{Health, Store};
use crate::telemetry::metrics;

/// Renders the metrics in Prometheus' text format.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Admin {
    store: Store,
    render: Render,
    stopping: CancellationToken,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    ledger: &'static str,
    hot_path: String,
}

/// `GET /livez`, `/readyz` and `/metrics`. Bind it to an address that callers can't reach.
///
/// Not ready once `stopping` is cancelled. Ready means that the ledger answers and is the primary. Without Redis the service is degraded
/// and still ready: to take it out of rotation then would turn a slow minute into an outage.
pub fn admin(store: Store, render: Render, stopping: CancellationToken) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(Admin {
            store,
            render,
            stopping,
        })
}

async fn livez() -> &'static str {
    "alive\n"
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let Health { ledger_is_up, hot } = admin.store.health();
    let status = match (&hot, ledger_is_up) {
        _ if admin.stopping.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        (_, false) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (hot::Status::Up, true) => (StatusCode::OK, "ready"),
        (hot::Status::Degraded { .. }, true) => (StatusCode::OK, "degraded"),
    };
    let readiness = Readiness {
        status: status.1,
        ledger: if ledger_is_up { "up" } else { "down" },
        hot_path: hot.to_string(),
    };
    (status.0, Json(readiness))
}

async fn scrape(State(admin): State<Admin>) -> impl IntoResponse {
    let Health { ledger_is_up, hot } = admin.store.health();
    metrics::set_tiers(hot == hot::Status::Up, ledger_is_up);
    let (n_open, n_idle) = admin.store.ledger().connections();
    metrics::set_connections(n_open, n_idle);
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        (admin.render)(),
    )
}
