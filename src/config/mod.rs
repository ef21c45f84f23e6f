//! Settings: one section per file, one documented default, four layers, every violation at once.
//!
//! The layers, weakest first: [`DEFAULT_FILE`], then `oncely.toml`, then `ONCELY_*` variables,
//! then flags. [`load()`] reads them and answers with settings that keep every rule, or with all
//! that is wrong. This room is the only one that reads the process environment, and even here
//! only [`Sources::of_process`] does: everybody else receives a section by value.

mod auth;
mod broker;
mod defaults;
mod duration;
mod error;
mod hot;
mod http;
mod idempotency;
mod inbox;
mod keys;
mod layers;
mod leases;
mod ledger;
mod load;
mod log;
mod messages;
mod origin;
mod outbox;
mod processor;
mod render;
mod roles;
mod rules;
mod secret;
mod tax;
mod validate;
mod violation;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use auth::{Auth, TokenDigest};
pub use broker::{Broker, BrokerDurability};
pub use defaults::DEFAULT_FILE;
pub use error::Error;
pub use hot::Hot;
pub use http::Http;
pub use idempotency::Idempotency;
pub use inbox::Inbox;
pub use ledger::{Claim, Ledger};
pub use load::{Flag, Loaded, Sources, fail_points, load};
pub use log::{Format as LogFormat, Log};
pub use origin::Origin;
pub use outbox::Outbox;
pub use processor::Processor;
pub use render::Entry;
pub use roles::Role;
pub use secret::{PLACEHOLDER, Secret};
pub use tax::Tax;
pub use violation::{Problem, Violation, Warning};

/// All settings. Serialising them redacts every secret, so they can be shown as they are.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the ledger lives, a `postgres://` URL. No default: `serve` requires it, `dev` starts
    /// one of its own.
    #[serde(default, serialize_with = "secret::as_url")]
    pub database_url: Option<Secret>,
    /// Where the hot path lives, a `redis://` URL. No default: `serve` requires it, `dev` starts
    /// one of its own.
    #[serde(default, serialize_with = "secret::as_url")]
    pub redis_url: Option<Secret>,
    /// The address of the API; port 0 takes a free one. Default: `127.0.0.1:8080`.
    pub http_addr: SocketAddr,
    /// The address of health and metrics, which ask for no credential. Default: `127.0.0.1:9090`.
    ///
    /// Too wide: strangers read traffic figures. Too narrow: probes can't reach the process.
    pub admin_addr: SocketAddr,
    /// What `oncely serve` does: `api` answers requests, `relay` publishes events, `consumer` acts on
    /// them. Default: all three.
    ///
    /// Too few: with no relay anywhere events wait, with no consumer nobody acts on them. Too many:
    /// they share one machine.
    pub roles: Vec<Role>,
    /// The API's limits.
    pub http: Http,
    /// Who may call.
    pub auth: Auth,
    /// What is promised to a key, and for how long.
    pub idempotency: Idempotency,
    /// Redis.
    pub hot: Hot,
    /// Postgres.
    pub ledger: Ledger,
    /// Where events go.
    pub broker: Broker,
    /// The relay.
    pub outbox: Outbox,
    /// The consumers.
    pub inbox: Inbox,
    /// The card processor.
    pub processor: Processor,
    /// The tax service.
    pub tax: Tax,
    /// Log lines.
    pub log: Log,
}
