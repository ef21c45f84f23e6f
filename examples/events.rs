//! Events of your own: enqueued with an order, relayed, and applied once. The README shows this file.
//!
//! It needs the two servers, and a database that `oncely migrate` has prepared:
//!
//! ```sh
//! export ONCELY_DATABASE_URL=postgres://… ONCELY_REDIS_URL=redis://…
//! oncely migrate
//! psql "$ONCELY_DATABASE_URL" -c 'CREATE TABLE orders (id uuid PRIMARY KEY, amount bigint NOT NULL)'
//! psql "$ONCELY_DATABASE_URL" -c 'CREATE TABLE shipments (order_id uuid NOT NULL)'
//! cargo run --example events
//! curl -i localhost:8080/orders -H 'Idempotency-Key: order-1' --json '{"amount": 4200}'
//! psql "$ONCELY_DATABASE_URL" -c 'SELECT order_id FROM shipments'
//! ```

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use http::StatusCode;
use oncely::broker::{Broker, RedisStreams};
use oncely::config::{self, Sources};
use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::failpoint::FailPoints;
use oncely::http::{Options, Policy, Routes, Tx};
use oncely::inbox::{ApplyError, BoxFuture, Consumer, Runner};
use oncely::ledger;
use oncely::outbox::{Event, LockedAggregate, Relay};
use oncely::store::Store;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = config::load(Sources::of_process(None, Vec::new()))?.config;
    let store = Store::connect(&config).await?;

    // Relay and consumer may as well be processes of their own.
    let redis = config.redis_url.as_ref().ok_or("set ONCELY_REDIS_URL")?;
    let patience = config.inbox.redeliver_after;
    let broker: Arc<dyn Broker> = Arc::new(RedisStreams::connect(redis, &config.broker, patience)?);
    let (ledger, name) = (store.ledger(), "example".to_owned());
    let relay = Relay::new(
        ledger.clone(),
        Arc::clone(&broker),
        config.outbox.clone(),
        config.broker.clone(),
        FailPoints::default(),
        name.clone(),
    );
    drop(
        relay
            .keeping_inbox(config.inbox.clone())
            .start(store.tasks()),
    );
    let runner = Runner::new(
        ledger.apart(config.inbox.pool_size),
        broker,
        Arc::new(Warehouse),
        config.inbox.clone(),
        FailPoints::default(),
        name,
    );
    runner.start(store.tasks());

    let options = Options::new(&config.http, &config.idempotency)?;
    let app = Routes::new(store, options)
        .post("/orders", Policy::required(), create_order)
        .single_tenant(Tenant::new("shop")?)
        .into_router();
    let listener = tokio::net::TcpListener::bind(config.http_addr).await?;
    Ok(axum::serve(listener, app).await?)
}

/// What the caller sends.
#[derive(Deserialize)]
struct Request {
    /// In minor units.
    amount: i64,
}

/// What is stored, and told.
#[derive(Serialize, Deserialize)]
struct Order {
    id: Uuid,
    amount: i64,
}

async fn create_order(mut tx: Tx, Json(request): Json<Request>) -> Result<StatusCode, StatusCode> {
    let order = Order {
        id: Uuid::now_v7(),
        amount: request.amount,
    };
    let insert = sqlx::query("INSERT INTO orders (id, amount) VALUES ($1, $2)");
    let insert = insert.bind(order.id).bind(order.amount);
    let is_inserted = insert.execute(&mut *tx).await.is_ok();
    if is_inserted && tell(&mut tx, &order).await.is_ok() {
        Ok(StatusCode::CREATED)
    } else {
        Err(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// Tells of the order in the transaction that makes it.
async fn tell(tx: &mut Tx, order: &Order) -> Result<(), Box<dyn Error + Send + Sync>> {
    let aggregate = Aggregate::new(Tenant::new("shop")?, "order", order.id.to_string())?;
    let event = Event::json(Topic::new("order.created")?, order)?;
    let mut created = LockedAggregate::created(aggregate);
    tx.enqueue(&mut created, event).await?;
    Ok(())
}

/// Ships what was ordered.
struct Warehouse;

impl Consumer for Warehouse {
    fn name(&self) -> &'static str {
        "warehouse"
    }

    fn topic(&self) -> Topic {
        Topic::new("order.created").expect("a valid topic")
    }

    /// Writes through `tx`, which is committed together with the inbox row of this message.
    fn apply<'a>(
        &'a self,
        tx: &'a mut ledger::Tx,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let order: Order = serde_json::from_slice(&message.payload)?;
            let insert = sqlx::query("INSERT INTO shipments (order_id) VALUES ($1)").bind(order.id);
            insert.execute(&mut **tx).await?;
            Ok(())
        })
    }
}
