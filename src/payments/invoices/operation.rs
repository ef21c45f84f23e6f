//! `POST /invoices`: its three phases.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::invoice::InvoiceRequest;
use super::question::Question;
use super::tax_service::TaxService;
use super::{answer, issue};
use crate::http::{Code, Problem};
use crate::ledger::Tx;
use crate::store::{Called, Context, LeasedOperation, Phase, PhaseError, Written};

pub(super) const NUMBER: &str = "number";
pub(super) const QUOTE: &str = "quote";
const ISSUE: &str = "issue";

/// Answers `POST` and `PUT` where there is no tax service. Nothing is claimed, so that the same key
/// works once there is one.
pub(in crate::payments) async fn not_configured() -> Problem {
    let detail = "No tax service is set: its operator has to set `tax.url`.";
    Problem::new(Code::NotConfigured, detail)
}

/// `POST /invoices`.
#[derive(Debug)]
pub(in crate::payments) struct Operation {
    service: TaxService,
    phases: [Phase; 3],
}

/// What `number` leaves to the phases after it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) invoice_id: String,
}

/// A phase that no version of this operation has had.
#[derive(Debug, thiserror::Error)]
#[error("an invoice has no phase `{0}` of this kind")]
struct NoSuchPhase(String);

impl Operation {
    /// The operation that asks `service`.
    pub(in crate::payments) fn new(service: TaxService) -> Self {
        let phases = [
            Phase::write(NUMBER),
            // It takes no key and needs none: a question that comes twice has no effect twice.
            Phase::call(QUOTE, true, service.patience()),
            Phase::write(ISSUE),
        ];
        Self { service, phases }
    }

    async fn quote(&self, context: Context<'_>) -> Called {
        let question = match question(context) {
            Ok(question) => question,
            Err(error) => return Called::GivenUp(error),
        };
        match self.service.quote(&question).await {
            Ok(quote) => match serde_json::to_value(quote) {
                Ok(value) => Called::Answered(value),
                Err(error) => Called::GivenUp(error.into()),
            },
            Err(unavailable) => Called::GivenUp(answer::unfinished(unavailable).into()),
        }
    }
}

fn question(context: Context<'_>) -> Result<Question, PhaseError> {
    let request: InvoiceRequest = context.carried.request()?;
    let Numbered { invoice_id } = context.carried.get(NUMBER)?;
    Ok(Question::of(&invoice_id, &request)?)
}

fn number() -> Result<Written, PhaseError> {
    let invoice_id = format!("inv_{}", Uuid::now_v7().simple());
    let numbered = serde_json::to_value(Numbered { invoice_id })?;
    Ok(Written::Next(numbered))
}

impl LeasedOperation for Operation {
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
                NUMBER => number(),
                ISSUE => issue::run(context, tx).await,
                other => Err(NoSuchPhase(other.to_owned()).into()),
            }
        })
    }

    fn call<'a>(&'a self, phase: &'a str, context: Context<'a>, _: Uuid) -> BoxFuture<'a, Called> {
        Box::pin(async move {
            match phase {
                QUOTE => self.quote(context).await,
                other => Called::NotDone(NoSuchPhase(other.to_owned()).into()),
            }
        })
    }
}
