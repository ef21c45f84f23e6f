//! `charge`: the one call to the processor.

use uuid::Uuid;

use super::operation::{RECORD, Recorded};
use super::payment::PaymentRequest;
use super::processor::{Order, Processor};
use crate::domain::CarriedError;
use crate::store::{Called, Context};

pub(super) async fn run(processor: &Processor, context: Context<'_>, key: Uuid) -> Called {
    match order(context) {
        Ok(order) => processor.charge(&order, key).await,
        Err(error) => Called::NotDone(error.into()),
    }
}

fn order(context: Context<'_>) -> Result<Order, CarriedError> {
    let request: PaymentRequest = context.carried.request()?;
    let recorded: Recorded = context.carried.get(RECORD)?;
    Ok(Order {
        reference: recorded.payment_id,
        amount: request.amount,
        currency: request.currency,
        source: request.source,
    })
}
