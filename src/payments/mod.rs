//! The payment path as a user of Oncely would write it: routes, policies, and plain SQL.
//!
//! Nothing here knows of Redis, keys, replays or locks. A handler extracts [`Tx`](crate::http::Tx)
//! and writes through it; the layer does the rest.

mod charges;
mod consumers;
mod inventory;
mod journal;
mod migrate;
mod receipts;
mod succeeded;

use axum::Router;

use crate::http::{Options, Policy, Routes, Tokens, not_found};
use crate::store::Store;

pub use charges::{CHARGE_SUCCEEDED, Charge, ChargeRequest, ChargeSucceeded, DECLINED_SOURCES};
pub use consumers::consumers;
pub use inventory::Inventory;
pub use journal::Journal;
pub use migrate::{is_migrated, migrate};
pub use receipts::Receipts;

/// The API's router: every mutating route with its policy.
pub fn routes(store: &Store, options: Options, tokens: Tokens) -> Router {
    Routes::new(store.clone(), options)
        .post(
            "/charge",
            Policy::required().body::<ChargeRequest>(),
            charges::create,
        )
        .get("/charge/{id}", charges::show)
        .authenticate(tokens)
        .into_router()
        .fallback(not_found)
        .with_state(store.ledger().clone())
}
