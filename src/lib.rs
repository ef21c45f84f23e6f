//! Oncely makes a payment API effectively-once: a Redis hot path in front of a Postgres ledger.
//!
//! A client sends its request with an `Idempotency-Key`. The operation's effects and its answer are
//! committed in one Postgres transaction, under a primary key made of tenant, operation and key. A
//! retry gets the stored answer, byte for byte. Redis answers quickly what Postgres has decided,
//! and may lose everything at any moment.
//!
//! Delivery is at-least-once, the effect is effectively-once. `docs/guarantees.md` says for each
//! fault what the caller sees and what is true, and names the test behind it.
//!
//! # On a route of your own
//!
//! ```no_run
//! use axum::Json;
//! use http::StatusCode;
//! use oncely::config::{self, Sources};
//! use oncely::domain::Tenant;
//! use oncely::http::{Options, Policy, Routes, Tx};
//! use oncely::store::Store;
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let config = config::load(Sources::of_process(None, Vec::new()))?.config;
//! let store = Store::connect(&config).await?;
//! let options = Options::new(&config.http, &config.idempotency)?;
//! let app: axum::Router = Routes::new(store, options)
//!     .post("/orders", Policy::required(), create_order)
//!     .single_tenant(Tenant::new("shop")?)
//!     .into_router();
//! # drop(app); Ok(())
//! # }
//!
//! async fn create_order(mut tx: Tx, Json(amount): Json<i64>) -> Result<StatusCode, StatusCode> {
//!     let insert = sqlx::query("INSERT INTO orders (amount) VALUES ($1)").bind(amount);
//!     match insert.execute(&mut *tx).await {
//!         Ok(_) => Ok(StatusCode::CREATED),
//!         Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
//!     }
//! }
//! ```
//!
//! # Where to begin
//!
//! | you want to | look at |
//! |---|---|
//! | guard routes | [`http::Routes`], [`http::Policy`], [`http::Tx`] |
//! | open a store | [`store::Store::connect`], [`config::load()`], [`ledger::migrate()`] |
//! | run an operation without HTTP | [`store::Store::transactional`] |
//! | see how it decides | [`domain::decide`](domain::decide()), then the essay on top of [`store`] |
//! | read a whole example | [`payments`] |
//! | call such an API, with retries | `client`, and `examples/client.rs` |
//! | break things in your own tests | `testkit` |
//! | hold a run against the promise | [`history`] |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `cli` | yes | the `oncely` binary: settings, `dev`, `serve`, `storm` and the operator's commands |
//! | `client` | with `cli` | the retrying HTTP client, for the caller's side |
//! | `testkit` | no | real Redis and Postgres for tests, with kill, pause and cut |
//! | `failpoints` | no | named instants at which a test makes the process fail. Never in a release |
//! | `sabotage` | no | what `oncely storm` can break on purpose, to show that it would notice. Never in a release |
//!
//! # The house
//!
//! The floors of the house, ground first. A room uses its own floor and those below it, never one
//! above; `tests/it/tidy.rs` holds the floors up. `docs/architecture.md` walks through it.

// 0. Words and decisions, pure.
pub mod domain;

// 1. Tools that know nothing of the domain.
pub mod backoff;
pub mod breaker;
pub mod clock;
pub mod failpoint;
pub mod history;
#[cfg(any(feature = "cli", feature = "testkit"))]
pub mod proxy;
#[cfg(any(feature = "cli", feature = "testkit"))]
pub mod sandbox;
#[cfg(any(feature = "cli", feature = "testkit"))]
pub mod servers;
pub mod shutdown;

// 2. Settings, one section per file; what the process says of itself.
pub mod config;
pub mod telemetry;

// 3. Redis, the hot path, which decides nothing; Postgres, the authority; the caller's side.
#[cfg(feature = "client")]
pub mod client;
pub mod hot;
pub mod ledger;

// 4. The two tiers as one.
pub mod store;

// 5. Events: enqueued with the operation, published, applied once; and what the books say of it all.
pub mod audit;
pub mod broker;
pub mod inbox;
pub mod outbox;

// 6. The idempotency layer for axum.
pub mod http;

// 7. The payment path, as a user would write it.
pub mod payments;

// 8. The proof that anybody can run.
#[cfg(feature = "cli")]
mod storm;

// 9. Wiring; what an operator types.
#[cfg(feature = "cli")]
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;

// Beside the house: real servers for tests.
#[cfg(feature = "testkit")]
pub mod testkit;
