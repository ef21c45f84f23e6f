//! Reserves what a charge has bought, or notes that there was not enough of it.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::domain::{Message, Topic};
use crate::inbox::{ApplyError, Consumer};
use crate::ledger::Tx;
use crate::payments::succeeded;

/// One statement, so that two charges never both take the last piece.
const RESERVE: &str = "
UPDATE public.inventory SET available = available - $3, reserved = reserved + $3
WHERE tenant = $1 AND sku = $2 AND $3 <= available";

const NOTE: &str = "
INSERT INTO public.reservations (tenant, id, sku, quantity, status, charge_id)
VALUES ($1, $2, $3, $4, $5, $6)";

/// Reserves stock for charges. Where there is too little, it is backordered: the money is taken, so it
/// is too late for an error.
#[derive(Debug)]
pub struct Inventory;

impl Consumer for Inventory {
    fn name(&self) -> &'static str {
        "inventory"
    }

    fn topic(&self) -> Topic {
        succeeded::topic()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(reserve(tx, message))
    }
}

async fn reserve(tx: &mut Tx, message: &Message) -> Result<(), ApplyError> {
    let charge = succeeded::read(message)?;
    let Some(sku) = charge.sku else {
        return Ok(());
    };
    let tenant = message.aggregate.tenant().as_str();
    let quantity = charge.quantity.unwrap_or(1);
    let reserved = sqlx::query(RESERVE)
        .bind(tenant)
        .bind(&sku)
        .bind(quantity)
        .execute(&mut **tx)
        .await?;
    let status = match reserved.rows_affected() {
        0 => "backordered",
        _ => "reserved",
    };
    sqlx::query(NOTE)
        .bind(tenant)
        .bind(format!("rs_{}", Uuid::now_v7().simple()))
        .bind(&sku)
        .bind(quantity)
        .bind(status)
        .bind(&charge.charge_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
