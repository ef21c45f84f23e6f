//! The payment path as a user of Oncely would write it: routes, policies, and plain SQL.
//!
//! Nothing here knows of Redis, keys, replays or locks. A handler extracts [`Tx`](crate::http::Tx)
//! and writes through it; the layer does the rest. A payment, whose charge a processor makes, and an
//! invoice, whose tax another service computes, are phases instead of a handler.

mod carts;
mod charges;
mod consumers;
mod effects;
mod inventory;
#[cfg(feature = "cli")]
mod invoices;
mod journal;
mod look_up;
mod migrate;
mod openapi;
#[cfg(feature = "cli")]
mod outside;
#[cfg(feature = "cli")]
#[expect(clippy::module_inception, reason = "the payment path has payments")]
mod payments;
mod receipts;
mod reservations;
mod succeeded;

#[cfg(feature = "cli")]
use std::sync::Arc;

use axum::Router;

use crate::http::{Options, Policy, Routes, Tokens, not_found};
use crate::ledger::Ledger;
use crate::store::Store;

pub use carts::{Cart, CartLine};
pub use charges::{CHARGE_SUCCEEDED, Charge, ChargeRequest, ChargeSucceeded, DECLINED_SOURCES};
pub use consumers::consumers;
pub use effects::effects;
pub use inventory::Inventory;
#[cfg(feature = "cli")]
pub use invoices::{
    INVOICE_CREATED, INVOICE_REPLACED, Invoice, InvoiceRequest, InvoiceWritten, Line,
};
pub use journal::Journal;
pub use migrate::{is_migrated, migrate};
pub use openapi::document as openapi;
#[cfg(feature = "cli")]
pub use outside::ClientError;
#[cfg(feature = "cli")]
pub use payments::{PAYMENT_SUCCEEDED, Payment, PaymentRequest, PaymentSucceeded};
pub use receipts::Receipts;
#[cfg(feature = "cli")]
pub use reservations::stock_up;
pub use reservations::{Reservation, ReserveRequest};

/// The API's router: every mutating route with its policy. Fails where the settings name a processor
/// or a tax service that can't be called.
#[cfg(feature = "cli")]
pub fn routes(
    store: &Store,
    options: Options,
    tokens: Tokens,
    (processor, tax): (&crate::config::Processor, &crate::config::Tax),
) -> Result<Router, ClientError> {
    let routes = in_postgres(store, options);
    let routes = match payments::operation(processor)? {
        Some(operation) => routes.post_leased::<PaymentRequest>("/payments", operation),
        None => routes.post(
            "/payments",
            Policy::exempt("there is no card processor: `processor.url` is not set"),
            payments::not_configured,
        ),
    };
    let routes = routes.get("/payments/{id}", payments::show);
    let routes = invoices(store, routes, invoices::TaxService::new(tax)?);
    Ok(finished(store, routes, tokens))
}

#[cfg(feature = "cli")]
fn invoices(
    store: &Store,
    routes: Routes<Ledger>,
    service: Option<invoices::TaxService>,
) -> Routes<Ledger> {
    let routes = routes.get("/invoices/{id}", invoices::show);
    let Some(service) = service else {
        let policy = || Policy::exempt("there is no tax service: `tax.url` is not set");
        return routes
            .post("/invoices", policy(), invoices::not_configured)
            .put("/invoices/{id}", policy(), invoices::not_configured);
    };
    let desk = (store.clone(), service.clone());
    let operation = Arc::new(invoices::Operation::new(service));
    routes
        .post_leased::<InvoiceRequest>("/invoices", operation)
        .put(
            "/invoices/{id}",
            Policy::natural(),
            move |tenant, path, headers, body| {
                invoices::put(desk.clone(), tenant, path, headers, body)
            },
        )
}

/// The API's router: every mutating route with its policy.
#[cfg(not(feature = "cli"))]
pub fn routes(store: &Store, options: Options, tokens: Tokens) -> Router {
    finished(store, in_postgres(store, options), tokens)
}

/// The routes whose effects lie in Postgres alone.
fn in_postgres(store: &Store, options: Options) -> Routes<Ledger> {
    Routes::new(store.clone(), options)
        .post(
            "/charge",
            Policy::required().body::<ChargeRequest>(),
            charges::create,
        )
        .get("/charge/{id}", charges::show)
        .post(
            "/reserve",
            Policy::required().body::<ReserveRequest>(),
            reservations::create,
        )
        .put("/carts/{id}", Policy::natural(), carts::put)
        .delete("/carts/{id}", Policy::natural(), carts::delete)
        .get("/carts/{id}", carts::show)
}

fn finished(store: &Store, routes: Routes<Ledger>, tokens: Tokens) -> Router {
    routes
        .authenticate(tokens)
        .into_router()
        .fallback(not_found)
        .with_state(store.ledger().clone())
}
