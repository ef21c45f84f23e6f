//! What Oncely is compared with, in a process of its own: an axum handler that does nothing, the
//! charge without idempotency, and a user's own handler with and without the layer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use oncely::config::{Config, Secret};
use oncely::domain::Tenant;
use oncely::http::{JsonBody, Options, Policy, Problem, Routes, Tokens, Tx};
use oncely::payments::ChargeRequest;
use oncely::store::Store;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::requests::TOKEN;
use super::statements;

/// The argument that makes this program such a child.
pub(crate) const CHILD: &str = "serve-what-is-compared";

/// As many connections as the contenders have.
const POOL_SIZE: u32 = 32;

/// An answer of a usual charge's size.
const ANSWER: &str = r#"{"id":"ch_0192f0c1a7e27c5ab7d1c2d3e4f5a6b7","amount":4200,"currency":"USD","source":"tok_visa","sku":"sku-1","quantity":1,"status":"succeeded","created_at":"2026-11-22T05:00:00.123456Z"}"#;

/// A table of the user's own, and what he writes into it.
const ORDER: &str =
    "INSERT INTO public.orders (id, tenant, amount, currency, source) VALUES ($1, $2, $3, $4, $5)";
const LINE: &str = "INSERT INTO public.order_lines (order_id, sku, quantity) VALUES ($1, $2, $3)";

/// Serves until it is killed.
pub(crate) async fn serve(database_url: &str, redis_url: &str, port: u16) -> Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(POOL_SIZE)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect(database_url)
        .await
        .context("connect to the database")?;
    let mut config = Config {
        database_url: Some(Secret::new(database_url.to_owned())),
        redis_url: Some(Secret::new(redis_url.to_owned())),
        ..Config::default()
    };
    config.ledger.pool_size = POOL_SIZE;
    config.idempotency.fingerprint_secret = "a secret of the benchmark's own".into();
    config.auth.allow(Tenant::new("demo")?, TOKEN);
    let store = Store::connect(&config).await?;
    let guarded = Routes::new(store, Options::new(&config.http, &config.idempotency)?)
        .post(
            "/guarded/order",
            Policy::required().body::<ChargeRequest>(),
            order_guarded,
        )
        .authenticate(Tokens::new(&config.auth))
        .into_router();
    let router = Router::new()
        .route("/nothing", post(nothing))
        .route("/charge", post(charge))
        .route("/order", post(order))
        .with_state(pool)
        .merge(guarded);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    axum::serve(listener, router).await.context("serve")
}

/// The least that axum can do: the body is read, an answer of the usual size is given.
async fn nothing(body: Bytes) -> Response {
    std::hint::black_box(&body);
    let content_type = (CONTENT_TYPE, "application/json");
    (StatusCode::CREATED, [content_type], ANSWER).into_response()
}

/// The charge with its event in one transaction, as one would write it without Oncely.
async fn charge(
    State(pool): State<PgPool>,
    JsonBody(request): JsonBody<ChargeRequest>,
) -> Result<Response, Problem> {
    let id = format!("ch_{}", Uuid::now_v7().simple());
    let made = make_charge(&pool, &id, &request).await.map_err(refused)?;
    let body = serde_json::json!({
        "id": id, "amount": request.amount, "currency": request.currency, "source": request.source,
        "sku": request.sku, "quantity": request.quantity, "status": "succeeded",
        "created_at": made.unix_timestamp(),
    });
    let location = (LOCATION, format!("/charge/{id}"));
    Ok((StatusCode::CREATED, [location], Json(body)).into_response())
}

async fn make_charge(
    pool: &PgPool,
    id: &str,
    request: &ChargeRequest,
) -> sqlx::Result<OffsetDateTime> {
    let mut tx = pool.begin().await?;
    let made = sqlx::query_scalar(statements::CHARGE)
        .bind("demo")
        .bind(id)
        .bind(request.amount)
        .bind(&request.currency)
        .bind(&request.source)
        .bind(&request.sku)
        .bind(request.quantity)
        .fetch_one(&mut *tx)
        .await?;
    let payload = format!(
        r#"{{"charge_id":"{id}","amount":{},"currency":"{}","sku":"sku-1","quantity":1}}"#,
        request.amount, request.currency
    );
    sqlx::query(statements::EVENT)
        .bind(Uuid::now_v7())
        .bind("demo")
        .bind(id)
        .bind(1_i16)
        .bind(payload.as_bytes())
        .bind(1_i64)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(made)
}

/// A user's own handler, without the layer.
async fn order(
    State(pool): State<PgPool>,
    JsonBody(request): JsonBody<ChargeRequest>,
) -> Result<Response, Problem> {
    let mut tx = pool.begin().await.map_err(refused)?;
    let id = write_order(&mut tx, "demo", &request)
        .await
        .map_err(refused)?;
    tx.commit().await.map_err(refused)?;
    Ok(ordered(id))
}

/// The same handler within it.
async fn order_guarded(
    mut tx: Tx,
    Extension(tenant): Extension<Tenant>,
    JsonBody(request): JsonBody<ChargeRequest>,
) -> Result<Response, Problem> {
    let id = write_order(&mut tx, tenant.as_str(), &request)
        .await
        .map_err(refused)?;
    Ok(ordered(id))
}

async fn write_order(
    connection: &mut PgConnection,
    tenant: &str,
    request: &ChargeRequest,
) -> sqlx::Result<Uuid> {
    let id = Uuid::now_v7();
    sqlx::query(ORDER)
        .bind(id)
        .bind(tenant)
        .bind(request.amount)
        .bind(&request.currency)
        .bind(&request.source)
        .execute(&mut *connection)
        .await?;
    sqlx::query(LINE)
        .bind(id)
        .bind(&request.sku)
        .bind(request.quantity)
        .execute(&mut *connection)
        .await?;
    Ok(id)
}

fn ordered(id: Uuid) -> Response {
    let body = serde_json::json!({"id": id, "status": "placed"});
    (StatusCode::CREATED, Json(body)).into_response()
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of map_err")]
fn refused(error: sqlx::Error) -> Problem {
    Problem::new(oncely::http::Code::StoreUnavailable, error.to_string())
}

/// The tables of [`ORDER`] and [`LINE`].
pub(crate) const TABLES: &str = "
CREATE TABLE public.orders (
    id uuid PRIMARY KEY, tenant text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
    source text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE public.order_lines (order_id uuid NOT NULL, sku text, quantity bigint);
CREATE INDEX order_lines_order ON public.order_lines (order_id)";
