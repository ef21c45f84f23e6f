//! Posts a charge: what the card owes us, against what we sold.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::domain::{Message, Topic};
use crate::inbox::{ApplyError, Consumer};
use crate::ledger::Tx;
use crate::payments::succeeded;

/// Both lines in one statement: there is never one without the other.
const POST: &str = "
INSERT INTO public.journal_entries (tenant, id, charge_id, account, direction, amount, currency)
VALUES ($1, $2, $4, 'card_receivable', 'debit', $5, $6), ($1, $3, $4, 'sales', 'credit', $5, $6)";

/// Posts charges to the journal.
#[derive(Debug)]
pub struct Journal;

impl Consumer for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn topic(&self) -> Topic {
        succeeded::topic()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(post(tx, message))
    }
}

async fn post(tx: &mut Tx, message: &Message) -> Result<(), ApplyError> {
    let charge = succeeded::read(message)?;
    sqlx::query(POST)
        .bind(message.aggregate.tenant().as_str())
        .bind(Uuid::now_v7())
        .bind(Uuid::now_v7())
        .bind(&charge.charge_id)
        .bind(charge.amount)
        .bind(&charge.currency)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
