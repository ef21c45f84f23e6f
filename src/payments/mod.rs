//! The payment path as a user of Oncely would write it: routes, policies, and plain SQL.
//!
//! Nothing here knows of Redis, keys, replays or locks. A handler extracts [`Tx`](crate::http::Tx)
//! and writes through it; the layer does the rest. A payment, whose charge a processor makes, is
//! phases instead of a handler.

mod charges;
mod consumers;
mod effects;
mod inventory;
mod journal;
mod migrate;
#[cfg(feature = "cli")]
#[expect(clippy::module_inception, reason = "the payment path has payments")]
mod payments;
mod receipts;
mod succeeded;

use axum::Router;

use crate::http::{Options, Policy, Routes, Tokens, not_found};
use crate::ledger::Ledger;
use crate::store::Store;

pub use charges::{CHARGE_SUCCEEDED, Charge, ChargeRequest, ChargeSucceeded, DECLINED_SOURCES};
pub use consumers::consumers;
pub use effects::effects;
pub use inventory::Inventory;
pub use journal::Journal;
pub use migrate::{is_migrated, migrate};
#[cfg(feature = "cli")]
pub use payments::{PAYMENT_SUCCEEDED, Payment, PaymentRequest, PaymentSucceeded, ProcessorError};
pub use receipts::Receipts;

/// The API's router: every mutating route with its policy. Fails where the settings name a processor
/// that can't be called.
#[cfg(feature = "cli")]
pub fn routes(
    store: &Store,
    options: Options,
    tokens: Tokens,
    processor: &crate::config::Processor,
) -> Result<Router, ProcessorError> {
    let routes = charges(store, options);
    let routes = match payments::operation(processor)? {
        Some(operation) => routes.post_leased::<PaymentRequest>("/payments", operation),
        None => routes.post(
            "/payments",
            Policy::exempt("there is no card processor: `processor.url` is not set"),
            payments::not_configured,
        ),
    };
    Ok(finished(store, routes, tokens))
}

/// The API's router: every mutating route with its policy.
#[cfg(not(feature = "cli"))]
pub fn routes(store: &Store, options: Options, tokens: Tokens) -> Router {
    finished(store, charges(store, options), tokens)
}

fn charges(store: &Store, options: Options) -> Routes<Ledger> {
    Routes::new(store.clone(), options)
        .post(
            "/charge",
            Policy::required().body::<ChargeRequest>(),
            charges::create,
        )
        .get("/charge/{id}", charges::show)
}

fn finished(store: &Store, routes: Routes<Ledger>, tokens: Tokens) -> Router {
    routes
        .authenticate(tokens)
        .into_router()
        .fallback(not_found)
        .with_state(store.ledger().clone())
}
