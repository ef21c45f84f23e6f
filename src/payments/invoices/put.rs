//! `PUT /invoices/{id}`: create or replace.
//!
//! It has no key, because it needs none: sent again, it finds what it asks for and changes nothing. The
//! tax service is asked before the transaction, so that nobody waits for it with a lock in hand, and
//! only where there is something to write. The conditions are looked at twice: before the question, to
//! spare it, and in the transaction, where the invoice is locked and the answer counts.

use axum::Extension;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::amounts::Amounts;
use super::answer;
use super::event::{Trace, aggregate, tell_created, tell_replaced};
use super::find::find;
use super::invoice::{Invoice, InvoiceRequest};
use super::question::Question;
use super::tax_service::{Quote, TaxService};
use super::write::Draft;
use crate::domain::Tenant;
use crate::http::{Code, Conditions, JsonBody, Problem, trace_of};
use crate::ledger::Tx;
use crate::outbox::LockedAggregate;
use crate::store::{Error, Finished, Keep, PhaseError, Store};

/// The longest id, in bytes; the table's `CHECK` holds the same bound.
const ID_BYTES_MAX: usize = 255;

/// One request.
#[derive(Debug)]
struct Put {
    tenant: Tenant,
    id: String,
    request: InvoiceRequest,
    conditions: Conditions,
    trace: Trace,
}

/// What a request comes to where the invoice is as it is.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Write,
    /// It is there already.
    Unchanged,
    /// Its conditions do not hold.
    Refused,
}

/// What became of it in its transaction.
#[derive(Debug)]
enum Written {
    Created(Invoice),
    Replaced(Invoice),
    Unchanged(Invoice),
    Refused,
}

/// Creates the invoice, 201, or replaces it, 200.
pub(in crate::payments) async fn put(
    (store, service): (Store, TaxService),
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<InvoiceRequest>,
) -> Result<Response, Problem> {
    let Some(Path(id)) = path.ok().filter(|it| is_id(it)) else {
        let detail = "An invoice's id is 1 to 255 letters, digits, `-`, `_` and `.`.";
        return Err(Problem::new(Code::NotFound, detail));
    };
    let trace = trace_of(&headers).into_iter();
    let put = Put {
        tenant,
        id,
        request,
        conditions: Conditions::of(&headers),
        trace: trace
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    let seen = put.look(&store).await.map_err(|error| unread(&*error))?;
    match (put.verdict(seen.as_ref()), &seen) {
        (Verdict::Write, _) => (),
        (Verdict::Unchanged, Some(invoice)) => return answer::shown(StatusCode::OK, invoice),
        (Verdict::Unchanged | Verdict::Refused, _) => return Err(refused()),
    }
    let amounts = put.taxed(&service).await?;
    match put.write(&store, amounts).await? {
        Written::Created(invoice) => answer::shown(StatusCode::CREATED, &invoice),
        Written::Replaced(invoice) | Written::Unchanged(invoice) => {
            answer::shown(StatusCode::OK, &invoice)
        }
        Written::Refused => Err(refused()),
    }
}

impl Put {
    /// A request that asks for what is there has been made before, and its answer lost: it is not told
    /// that its `If-Match` is outdated (RFC 9110, section 13.1.1). `If-None-Match` knows no such mercy.
    fn verdict(&self, current: Option<&Invoice>) -> Verdict {
        let etag = current.map(Invoice::etag);
        let is_there = current.is_some_and(|it| it.is(&self.request));
        if is_there && !self.conditions.refuse_what_is_there(etag.as_deref()) {
            Verdict::Unchanged
        } else if self.conditions.hold(etag.as_deref()) {
            Verdict::Write
        } else {
            Verdict::Refused
        }
    }

    async fn look(&self, store: &Store) -> Result<Option<Invoice>, PhaseError> {
        let mut reader = store.ledger().reader().await?;
        let found = find(&mut reader, &self.tenant, &self.id).await?;
        reader.finish();
        Ok(found)
    }

    async fn taxed(&self, service: &TaxService) -> Result<Amounts, Problem> {
        let question = Question::of(&self.id, &self.request);
        let quote = match &question {
            Ok(question) => service.quote(question).await,
            Err(error) => return Err(unread(error)),
        };
        match quote {
            Ok(Quote::Rate { ppm }) => {
                Amounts::of(&self.request.lines, ppm).map_err(|error| unread(&error))
            }
            Ok(Quote::Refused { reason }) => Err(answer::refused(reason)),
            Err(unavailable) => Err(answer::unwritten(&unavailable)),
        }
    }

    async fn write(self, store: &Store, amounts: Amounts) -> Result<Written, Problem> {
        let work = move |mut tx: Tx| async move {
            let written = self.write_in(&mut tx, amounts).await;
            let keep = match &written {
                Ok(Written::Created(_) | Written::Replaced(_)) => Keep::effects(),
                Ok(Written::Unchanged(_) | Written::Refused) | Err(_) => Keep::Nothing,
            };
            Finished {
                tx: Some(tx),
                keep,
                value: written,
            }
        };
        match store.unkeyed(work, |_| ()).await {
            Ok(Ok(written)) => Ok(written),
            Ok(Err(error)) => Err(unread(&*error)),
            Err(error) => Err(failed(&error)),
        }
    }

    /// The aggregate is locked before the invoice is read, whether or not there is one: of two requests
    /// with the same condition, the second one sees what the first has made of it.
    async fn write_in(&self, tx: &mut Tx, amounts: Amounts) -> Result<Written, PhaseError> {
        let mut locked = LockedAggregate::lock(tx, aggregate(&self.tenant, &self.id)?).await?;
        let current = find(tx, &self.tenant, &self.id).await?;
        let draft = Draft {
            tenant: &self.tenant,
            id: &self.id,
            request: &self.request,
            amounts,
        };
        match (self.verdict(current.as_ref()), current) {
            (Verdict::Unchanged, Some(invoice)) => Ok(Written::Unchanged(invoice)),
            (Verdict::Unchanged, None) | (Verdict::Refused, _) => Ok(Written::Refused),
            (Verdict::Write, None) => {
                let invoice = draft.insert(tx).await?;
                tell_created(tx, &mut locked, (&invoice, self.trace.clone())).await?;
                Ok(Written::Created(invoice))
            }
            (Verdict::Write, Some(current)) => {
                let invoice = draft.replace(current.version, tx).await?;
                tell_replaced(tx, &self.tenant, (&invoice, self.trace.clone())).await?;
                Ok(Written::Replaced(invoice))
            }
        }
    }
}

fn is_id(id: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

fn refused() -> Problem {
    let detail =
        "The invoice is not as `If-Match` or `If-None-Match` says. Read it, and decide anew.";
    Problem::new(Code::PreconditionFailed, detail)
}

fn unread(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::warn!(error, "an invoice was not replaced");
    let detail = "Nothing was changed. Send the same request again after Retry-After.";
    Problem::new(Code::StoreUnavailable, detail)
}

fn failed(error: &Error) -> Problem {
    if !matches!(error, Error::OutcomeUnknown(_)) {
        return unread(error);
    }
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, "it is not known whether an invoice was replaced");
    let detail = "The invoice may or may not have been replaced. Send the same request again: where it \
        was, nothing more is changed.";
    Problem::new(Code::OutcomeUnknown, detail)
}
