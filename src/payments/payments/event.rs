//! `payment.succeeded`: what the rest of the house learns of a payment.

use serde::{Deserialize, Serialize};

use super::payment::Payment;
use crate::domain::{Aggregate, Topic};
use crate::ledger::Tx;
use crate::outbox::{Event, LockedAggregate, enqueue};
use crate::store::{Context, PhaseError};

/// The topic.
pub const PAYMENT_SUCCEEDED: &str = "payment.succeeded";

/// The payload of `payment.succeeded`, as JSON. Members may be added; none changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentSucceeded {
    /// The payment's id.
    pub payment_id: String,
    /// In minor units of the currency.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// Tells of a payment that this transaction finishes, in the trace of the request that began it. It is its aggregate's first event.
pub(super) async fn tell(
    tx: &mut Tx,
    context: Context<'_>,
    payment: &Payment,
) -> Result<(), PhaseError> {
    let told = PaymentSucceeded {
        payment_id: payment.id.clone(),
        amount: payment.amount,
        currency: payment.currency.clone(),
    };
    let mut event = Event::json(Topic::new(PAYMENT_SUCCEEDED)?, &told)?;
    for (name, value) in context.carried.trace() {
        event = event.header(name, value);
    }
    let aggregate = Aggregate::new(context.tenant.clone(), "payment", &payment.id)?;
    enqueue(tx, &mut LockedAggregate::created(aggregate), event).await?;
    Ok(())
}
