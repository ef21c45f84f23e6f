//! `invoice.created` and `invoice.replaced`: what the rest of the house learns of an invoice.

use serde::{Deserialize, Serialize};

use super::invoice::Invoice;
use crate::domain::{Aggregate, EventError, Tenant, Topic};
use crate::ledger::Tx;
use crate::outbox::{Event, LockedAggregate, enqueue};
use crate::store::PhaseError;

/// The topic of invoices that are new.
pub const INVOICE_CREATED: &str = "invoice.created";

/// The topic of invoices that were replaced by a `PUT`.
pub const INVOICE_REPLACED: &str = "invoice.replaced";

/// An invoice itself.
const INVOICE: &str = "invoice";

/// All events of an aggregate go to one topic, so replacements are one of their own.
const REPLACEMENTS: &str = "invoice_replacements";

/// The payload of both topics, as JSON. Members may be added; none changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceWritten {
    /// The invoice's id.
    pub invoice_id: String,
    /// How often it was written: of two events, the one with the higher version is the later.
    pub version: i64,
    /// Who is to pay.
    pub customer: String,
    /// ISO 4217 code.
    pub currency: String,
    /// In minor units of the currency.
    pub subtotal: i64,
    /// In minor units of the currency.
    pub tax: i64,
    /// In minor units of the currency.
    pub total: i64,
}

/// The trace of the request that an event follows from, as header names and values.
pub(super) type Trace = Vec<(String, String)>;

/// The invoice as an aggregate, which does not have to exist.
pub(super) fn aggregate(tenant: &Tenant, id: &str) -> Result<Aggregate, EventError> {
    Aggregate::new(tenant.clone(), INVOICE, id)
}

/// Tells of an invoice that this transaction makes.
pub(super) async fn tell_created(
    tx: &mut Tx,
    locked: &mut LockedAggregate,
    (invoice, trace): (&Invoice, Trace),
) -> Result<(), PhaseError> {
    let event = event(INVOICE_CREATED, invoice, trace)?;
    enqueue(tx, locked, event).await?;
    Ok(())
}

/// Tells of an invoice that this transaction replaces.
pub(super) async fn tell_replaced(
    tx: &mut Tx,
    tenant: &Tenant,
    (invoice, trace): (&Invoice, Trace),
) -> Result<(), PhaseError> {
    let replacements = Aggregate::new(tenant.clone(), REPLACEMENTS, &invoice.id)?;
    let mut locked = LockedAggregate::lock(tx, replacements).await?;
    let event = event(INVOICE_REPLACED, invoice, trace)?;
    enqueue(tx, &mut locked, event).await?;
    Ok(())
}

fn event(topic: &str, invoice: &Invoice, trace: Trace) -> Result<Event, PhaseError> {
    let told = InvoiceWritten {
        invoice_id: invoice.id.clone(),
        version: invoice.version,
        customer: invoice.customer.clone(),
        currency: invoice.currency.clone(),
        subtotal: invoice.subtotal,
        tax: invoice.tax,
        total: invoice.total,
    };
    let event = Event::json(Topic::new(topic)?, &told)?;
    let traced = trace.into_iter();
    Ok(traced.fold(event, |event, (name, value)| event.header(name, value)))
}
