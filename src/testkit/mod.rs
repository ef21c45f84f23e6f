//! Real Redis and Postgres for tests, ours and our users', with kill, pause and cut.
//!
//! A test of payments that mocks its stores proves little: what goes wrong happens between a COMMIT
//! and its reply. This room gives tests real servers, and the faults of the world on command.
//!
//! ```no_run
//! use oncely::testkit::{Database, Pair, Proxy, key_prefix};
//!
//! # async fn example() -> anyhow::Result<()> {
//! // One pair of servers for the whole run, a database and a key prefix for this test.
//! let pair = Pair::shared().await?;
//! let database = Database::create(pair.postgres.url()).await?;
//! let prefix = key_prefix();
//!
//! // The application connects through a proxy, and the reply to its next COMMIT is lost.
//! let proxy = Proxy::start(database.url()).await?;
//! let lost = proxy.cut_after_commit();
//! // … send the request to the application at `proxy.url()`, with Redis keys under `prefix` …
//! lost.wait().await?;
//! // … send it again: the answer must be the first one, and the charge must be there once …
//! # drop(prefix); Ok(())
//! # }
//! ```
//!
//! # Where the servers come from
//!
//! | environment | what it does |
//! |---|---|
//! | `ONCELY_TEST_DATABASE_URL`, `ONCELY_TEST_REDIS_URL` | existing servers for [`Pair`] |
//! | `ONCELY_TEST_BACKEND` | `local` processes, `docker` containers, or `auto`: local where both are installed, Docker elsewhere |
//! | `ONCELY_TEST_POSTGRES_IMAGE`, `ONCELY_TEST_REDIS_IMAGE` | other images than `postgres:15` and `redis:7` |
//! | `ONCELY_TEST_DOCKER` | `required`: a test that needs Docker and cannot have it fails |
//!
//! In CI, `oncely-testkit run -- cargo test` starts one pair for the command, sets the two URLs, and
//! stops the pair when the command ends. Without it each test process starts a pair of its own when
//! it first needs one.
//!
//! # Shared or private
//!
//! [`Pair::shared`] is fast because it is not durable and because all tests are on it. A test that
//! kills, pauses or flushes a server starts a private one with [`Postgres::start`] or
//! [`Redis::start`], which is durable by default (Postgres) or on request (Redis).
//!
//! # Nothing is left
//!
//! Servers, containers and directories end with the process that started them, however it ends, by
//! SIGKILL too, and even if a handle is in a `static`: a small shell process waits at a pipe that
//! breaks when the owner ends. [`servers`](crate::servers) tells how.

mod backend;
mod database;
mod docker;
mod environment;
mod pair;
mod postgres;
mod ready;
mod redis;
mod run;
mod source;

pub use backend::Backend;
pub use database::{Database, key_prefix};
pub use docker::{is_usable as docker_is_usable, is_usable_or_say_so as docker_or_say_so};
pub use environment::{BACKEND, DATABASE_URL, DOCKER, POSTGRES_IMAGE, REDIS_IMAGE, REDIS_URL};
pub use pair::Pair;
pub use postgres::Postgres;
pub use redis::Redis;
pub use run::run;

pub use crate::proxy::{Direction, Fired, Proxy};
pub use crate::sandbox::{Entry, Processor, Quirk, Seen, TaxQuestion, TaxQuirk, TaxService};
pub use crate::servers::postgres::{Durability, Options as PostgresOptions};
pub use crate::servers::redis::Options as RedisOptions;
