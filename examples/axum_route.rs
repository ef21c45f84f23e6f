//! The idempotency layer on a route of your own. The README shows this file.
//!
//! It needs the two servers, and a database that `oncely migrate` has prepared:
//!
//! ```sh
//! export ONCELY_DATABASE_URL=postgres://… ONCELY_REDIS_URL=redis://…
//! oncely migrate
//! psql "$ONCELY_DATABASE_URL" -c 'CREATE TABLE orders (amount bigint NOT NULL)'
//! cargo run --example axum_route
//! curl -i localhost:8080/orders -H 'Idempotency-Key: order-1' --json '{"amount": 4200}'
//! ```

use axum::Json;
use http::StatusCode;
use oncely::config::{self, Sources};
use oncely::domain::Tenant;
use oncely::http::{Options, Policy, Routes, Tx};
use oncely::store::Store;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = config::load(Sources::of_process(None, Vec::new()))?.config;
    let store = Store::connect(&config).await?;
    let options = Options::new(&config.http, &config.idempotency)?;
    let app = Routes::new(store, options)
        .post("/orders", Policy::required(), create_order)
        .single_tenant(Tenant::new("shop")?)
        .into_router();
    let listener = tokio::net::TcpListener::bind(config.http_addr).await?;
    Ok(axum::serve(listener, app).await?)
}

/// Writes through `tx`. The layer commits the write together with this answer, and from then on
/// repeats the answer to every request with the same key.
async fn create_order(mut tx: Tx, Json(order): Json<Order>) -> Result<StatusCode, StatusCode> {
    let insert = sqlx::query("INSERT INTO orders (amount) VALUES ($1)").bind(order.amount);
    match insert.execute(&mut *tx).await {
        Ok(_) => Ok(StatusCode::CREATED),
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

#[derive(serde::Deserialize)]
struct Order {
    amount: i64,
}
