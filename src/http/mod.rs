//! The HTTP floor: the idempotency layer for any axum router, its answers, and health.
//!
//! # Overview
//!
//! [`Routes`] takes routes as axum's `Router` does, with one difference: a mutating route needs a
//! [`Policy`], or it does not compile. Its router is an ordinary one, to be merged or nested into
//! anybody's. A handler under [`Policy::required`] or [`Policy::optional`] extracts [`Tx`] and
//! writes through it; the layer commits those writes together with the answer.
//!
//! # Order of checks
//!
//! authenticate (401) → key (400) → size (413) → body (400) → fingerprint → mismatch (422) →
//! in flight (409, or a wait where `Prefer: wait=n` asks for one) → replay → execute. Authorisation
//! runs before a replay, every time.
//!
//! # What this does not promise
//!
//! A handler's effects outside [`Tx`] are not undone when its transaction is.

mod answer;
mod authenticate;
mod body;
mod code;
mod conditions;
mod excuse;
mod execute;
mod guard;
mod headers;
mod health;
mod policy;
mod prefer;
mod problem;
mod routes;
mod traced;
mod tx;

pub use authenticate::Tokens;
pub use body::{JsonBody, Validate};
pub use code::Code;
pub use conditions::Conditions;
pub use excuse::Excuse;
pub use headers::{
    IDEMPOTENCY_KEY, IDEMPOTENCY_STATUS, IDEMPOTENT_REPLAYED, ONCELY_ATTEMPT, ORIGINAL_TIME,
};
pub use health::{Render, admin};
pub use policy::Policy;
pub use prefer::{PREFER, PREFERENCE_APPLIED};
pub use problem::Problem;
pub use routes::{Options, Routes, not_found};
pub use tx::{Keeping, Tx, trace_of};
