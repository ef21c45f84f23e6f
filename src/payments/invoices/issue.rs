//! `issue`: the invoice, its event and its answer, in the transaction that completes the record.

use http::StatusCode;

use super::amounts::Amounts;
use super::answer;
use super::event::{aggregate, tell_created};
use super::invoice::InvoiceRequest;
use super::operation::{NUMBER, Numbered, QUOTE};
use super::tax_service::Quote;
use super::write::Draft;
use crate::ledger::Tx;
use crate::outbox::LockedAggregate;
use crate::store::{Context, PhaseError, Written};

pub(super) async fn run(context: Context<'_>, tx: &mut Tx) -> Result<Written, PhaseError> {
    let request: InvoiceRequest = context.carried.request()?;
    let Numbered { invoice_id } = context.carried.get(NUMBER)?;
    let ppm = match context.carried.get(QUOTE)? {
        Quote::Rate { ppm } => ppm,
        // No row: a refused invoice leaves only its stored answer.
        Quote::Refused { reason } => {
            return Ok(Written::Finished(answer::refused(reason).into_answer()));
        }
    };
    let draft = Draft {
        tenant: context.tenant,
        id: &invoice_id,
        request: &request,
        amounts: Amounts::of(&request.lines, ppm)?,
    };
    let invoice = draft.insert(tx).await?;
    let mut locked = LockedAggregate::created(aggregate(context.tenant, &invoice_id)?);
    let trace = context.carried.trace().into_iter().collect();
    tell_created(tx, &mut locked, (&invoice, trace)).await?;
    let answer = answer::whole(StatusCode::CREATED, &invoice)?;
    Ok(Written::Finished(answer))
}
