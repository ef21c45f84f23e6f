//! The admin port: is the process alive, is it ready, and how is it doing.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::hot;
use crate::store::{Health, Store};

/// Renders the metrics in Prometheus' text format.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Admin {
    store: Store,
    render: Render,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    ledger: &'static str,
    hot_path: String,
}

/// `GET /livez`, `/readyz` and `/metrics`. Bind it to an address that callers can't reach.
///
/// Ready means that the ledger answers and is the primary. Without Redis the service is degraded
/// and still ready: to take it out of rotation then would turn a slow minute into an outage.
pub fn admin(store: Store, render: Render) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin { store, render })
}

async fn livez() -> &'static str {
    "alive\n"
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let Health { ledger_is_up, hot } = admin.store.health();
    let status = match (&hot, ledger_is_up) {
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

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (admin.render)())
}
