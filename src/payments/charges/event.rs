//! `charge.succeeded`: what the rest of the house learns of a charge.

use serde::{Deserialize, Serialize};

use super::charge::Charge;
use crate::domain::{Aggregate, EventError, Tenant, Topic};
use crate::http::Tx;
use crate::outbox::{EnqueueError, Event, LockedAggregate};

/// The topic.
pub const CHARGE_SUCCEEDED: &str = "charge.succeeded";

/// The payload of `charge.succeeded`, as JSON. Members may be added; none changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeSucceeded {
    /// The charge's id.
    pub charge_id: String,
    /// In minor units of the currency.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// What was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// How many of it; 1 where nothing was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
}

/// Why the event was not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum TellError {
    #[error("name the event")]
    Name(#[from] EventError),
    #[error("enqueue the event")]
    Enqueue(#[from] EnqueueError),
}

/// Tells of a charge that this transaction has made. Its aggregate is the charge itself, so no two
/// charges ever wait for each other.
pub(super) async fn tell(tx: &mut Tx, tenant: &Tenant, charge: &Charge) -> Result<(), TellError> {
    let told = ChargeSucceeded {
        charge_id: charge.id.clone(),
        amount: charge.amount,
        currency: charge.currency.clone(),
        sku: charge.sku.clone(),
        quantity: charge.quantity,
    };
    let event = Event::json(Topic::new(CHARGE_SUCCEEDED)?, &told)?;
    let aggregate = Aggregate::new(tenant.clone(), "charge", &charge.id)?;
    let mut charge = LockedAggregate::created(aggregate);
    tx.enqueue(&mut charge, event).await?;
    Ok(())
}
