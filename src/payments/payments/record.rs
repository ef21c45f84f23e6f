//! `record`: the payment as a row, before anybody is charged.

use uuid::Uuid;

use super::operation::Recorded;
use super::payment::PaymentRequest;
use crate::ledger::Tx;
use crate::store::{Context, PhaseError, Written};

const INSERT: &str = "
INSERT INTO public.payments (tenant, id, amount, currency, source, status, created_at)
VALUES ($1, $2, $3, $4, $5, 'pending', now())";

pub(super) async fn run(context: Context<'_>, tx: &mut Tx) -> Result<Written, PhaseError> {
    let request: PaymentRequest = context.carried.request()?;
    let payment_id = format!("pmt_{}", Uuid::now_v7().simple());
    sqlx::query(INSERT)
        .bind(context.tenant.as_str())
        .bind(&payment_id)
        .bind(request.amount)
        .bind(&request.currency)
        .bind(&request.source)
        .execute(&mut **tx)
        .await?;
    Ok(Written::Next(serde_json::to_value(Recorded {
        payment_id,
    })?))
}
