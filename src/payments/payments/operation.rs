//! The three phases of a payment.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::processor::Processor;
use super::{charge, finish, record};
use crate::config;
use crate::http::{Code, Problem};
use crate::ledger::Tx;
use crate::payments::outside::ClientError;
use crate::store::{Called, Context, LeasedOperation, Phase, PhaseError, Written};

pub(super) const RECORD: &str = "record";
pub(super) const CHARGE: &str = "charge";
const FINISH: &str = "finish";

/// Answers `POST /payments` where there is no processor. Nothing is claimed, so that the same key works
/// once there is one.
pub(in crate::payments) async fn not_configured() -> Problem {
    let detail = "No card processor is set: its operator has to set `processor.url`.";
    Problem::new(Code::NotConfigured, detail)
}

/// `POST /payments`.
#[derive(Debug)]
struct Payments {
    processor: Processor,
    phases: [Phase; 3],
}

/// What `record` leaves to the phases after it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recorded {
    pub(super) payment_id: String,
}

/// What the processor said, and so what `charge` leaves behind. An operator who resolves a payment
/// writes the same: `{"succeeded": {"reference": "…"}}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Charged {
    Succeeded { reference: String },
    Declined { reason: String },
}

/// A phase that no version of this operation has had.
#[derive(Debug, thiserror::Error)]
#[error("a payment has no phase `{0}` of this kind")]
struct NoSuchPhase(String);

/// The operation, with the processor of these settings; `None` where they name none.
pub(in crate::payments) fn operation(
    settings: &config::Processor,
) -> Result<Option<Arc<dyn LeasedOperation>>, ClientError> {
    let Some(processor) = Processor::new(settings)? else {
        return Ok(None);
    };
    let phases = [
        Phase::write(RECORD),
        Phase::call(CHARGE, settings.accepts_keys, settings.timeout),
        Phase::write(FINISH),
    ];
    Ok(Some(Arc::new(Payments { processor, phases })))
}

impl LeasedOperation for Payments {
    fn phases(&self) -> &[Phase] {
        &self.phases
    }

    fn write<'a>(
        &'a self,
        phase: &'a str,
        context: Context<'a>,
        tx: &'a mut Tx,
    ) -> BoxFuture<'a, Result<Written, PhaseError>> {
        Box::pin(async move {
            match phase {
                RECORD => record::run(context, tx).await,
                FINISH => finish::run(context, tx).await,
                other => Err(NoSuchPhase(other.to_owned()).into()),
            }
        })
    }

    fn call<'a>(
        &'a self,
        phase: &'a str,
        context: Context<'a>,
        key: Uuid,
    ) -> BoxFuture<'a, Called> {
        Box::pin(async move {
            match phase {
                CHARGE => charge::run(&self.processor, context, key).await,
                other => Called::NotDone(NoSuchPhase(other.to_owned()).into()),
            }
        })
    }
}
