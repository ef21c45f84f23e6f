//! The retrying HTTP client: for callers of Oncely, and of any API with the same conventions.
//!
//! # Overview
//!
//! ```no_run
//! # async fn pay() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use oncely::client::{Client, Deadline, Operation, Outcome};
//!
//! let client = Client::builder().bearer_auth("demo-token").build()?;
//! let order = serde_json::json!({"amount": 4200, "currency": "USD", "source": "tok_visa"});
//! let mut charge = Operation::post("https://pay.example.com/charge").json(&order)?;
//! // Keep it with the order before it is sent: serde_json::to_string(&charge)?
//! match client.run(&mut charge, Deadline::after(Duration::from_secs(20))).await? {
//!     Outcome::Done(answer) => println!("paid: {}", answer.status),
//!     Outcome::Rejected(answer) => println!("refused: {}", answer.status),
//!     Outcome::Unknown { cause, .. } => println!("ask again in {:?}", cause.retry_after),
//! }
//! # Ok(()) }
//! ```
//!
//! An [`Operation`] mints its key once and freezes its bytes. [`Client::run`] sends it until it is
//! done, refused, or not worth another attempt. What is left in doubt, [`Client::resolve`] settles.
//!
//! # State model
//!
//! ```text
//!             2xx                              a 4xx that settles it
//!   Done ◀─────────── attempt ───────────────────────────────▶ Rejected
//!                     │     ▲
//!      408, 425, 429, │     │ full jitter, or the server's wait and a spread
//!      5xx, 409 in    ▼     │
//!      flight, lost   wait ─┘
//!                     │ no time, no attempt, no token left; breaker open
//!                     ▼
//!        some attempt may be done?  yes: Unknown, to be resolved   no: Err, nothing was done
//! ```
//!
//! What may be done is kept with care: a 401 after a time-out does not say that the first attempt
//! did nothing, so that the outcome is unknown and not refused. Only an answer that the server ties
//! to the key, or `safe_new_key`, settles it.
//!
//! # What holds retries back
//!
//! For each call site (method, host and route): a [`Budget`] that only successes fill, a [`Breaker`],
//! and the memory of what `Retry-After` asked for. For each call: one [`Deadline`] and a number of
//! attempts. Inside somebody else's attempt there are no retries
//! ([`Draft::nested_in`](operation::Draft::nested_in)).
//!
//! # Time
//!
//! Waits and deadlines are monotonic. The wall clock is read to see how old a key is, and for a
//! `Retry-After` with a date where the server sends no `Date`.
//!
//! # What this does not promise
//!
//! The server keeps the key or nobody does: with one that ignores `Idempotency-Key`, a retry after a
//! lost answer is a second order. The budget is this process's own; a fleet has as many as it has
//! processes. Delivery is at-least-once; the effect is effectively-once for as long as the server
//! keeps the key, and [`Policy::key_lifetime`] must not be longer than that.

mod attempt;
pub mod breaker;
pub mod budget;
mod builder;
pub mod classify;
mod deadline;
pub mod operation;
mod outcome;
mod policy;
mod response;
mod retry_after;
mod run;
mod site;
mod stored;
pub mod transcript;
mod transport;
#[cfg(feature = "cli")]
mod watch;

#[cfg(test)]
mod tests;

pub use breaker::Breaker;
pub use budget::Budget;
pub use builder::{BuildError, Builder, Client, provide_tls};
pub use deadline::Deadline;
pub use operation::Operation;
pub use outcome::{Error, Outcome, Why};
pub use policy::Policy;
pub use response::Response;
pub use retry_after::retry_after;
pub use transcript::Transcript;
#[cfg(feature = "cli")]
pub(crate) use watch::Watch;
