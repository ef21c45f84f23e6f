//! `finish`: the payment's end, its event and its answer, in the transaction that completes the record.

use axum::body::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::event::tell;
use super::operation::{CHARGE, Charged, RECORD, Recorded};
use super::payment::Payment;
use crate::domain::Response;
use crate::http::{Code, Problem};
use crate::ledger::Tx;
use crate::store::{Context, PhaseError, Written};

const UPDATE: &str = "
UPDATE public.payments SET status = $3, processor_reference = $4
WHERE tenant = $1 AND id = $2 AND status = 'pending'
RETURNING id, amount, currency, source, status, processor_reference, created_at";

pub(super) async fn run(context: Context<'_>, tx: &mut Tx) -> Result<Written, PhaseError> {
    let Recorded { payment_id } = context.carried.get(RECORD)?;
    let charged: Charged = context.carried.get(CHARGE)?;
    let (status, reference) = match &charged {
        Charged::Succeeded { reference } => ("succeeded", Some(reference)),
        Charged::Declined { .. } => ("declined", None),
    };
    let payment: Payment = sqlx::query_as(UPDATE)
        .bind(context.tenant.as_str())
        .bind(&payment_id)
        .bind(status)
        .bind(reference)
        .fetch_one(&mut **tx)
        .await?;
    let answer = match charged {
        Charged::Declined { reason } => Problem::new(Code::CardDeclined, reason).into_answer(),
        Charged::Succeeded { .. } => {
            tell(tx, context, &payment).await?;
            created(&payment)?
        }
    };
    Ok(Written::Finished(answer))
}

fn created(payment: &Payment) -> Result<Response, PhaseError> {
    let json = HeaderValue::from_static("application/json");
    let location = HeaderValue::try_from(format!("/payments/{}", payment.id))?;
    Ok(Response {
        status: StatusCode::CREATED,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, json), (LOCATION, location)]),
        body: Bytes::from(serde_json::to_vec(payment)?),
    })
}
