//! Sends a receipt for a charge. A row stands in for the e-mail, so that a second one would show.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::amount::readable;
use crate::domain::{Message, Topic};
use crate::inbox::{ApplyError, Consumer};
use crate::ledger::Tx;
use crate::payments::succeeded;

const SEND: &str = "
INSERT INTO public.receipts (tenant, id, charge_id, subject, body) VALUES ($1, $2, $3, $4, $5)";

/// Sends receipts for charges.
#[derive(Debug)]
pub struct Receipts;

impl Consumer for Receipts {
    fn name(&self) -> &'static str {
        "receipts"
    }

    fn topic(&self) -> Topic {
        succeeded::topic()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(send(tx, message))
    }
}

async fn send(tx: &mut Tx, message: &Message) -> Result<(), ApplyError> {
    let charge = succeeded::read(message)?;
    let amount = readable(charge.amount, &charge.currency);
    sqlx::query(SEND)
        .bind(message.aggregate.tenant().as_str())
        .bind(Uuid::now_v7())
        .bind(&charge.charge_id)
        .bind(format!("Receipt for {}", charge.charge_id))
        .bind(format!("We have charged {amount}. Thank you."))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
