//! Invoices, whose tax another service computes: `POST /invoices`, `PUT` and `GET /invoices/{id}`.
//!
//! ```text
//!   number   write   the id, which stays whatever happens after
//!   quote    call    POST /quotes at the tax service: a question, without effect over there
//!   issue    write   the invoice, invoice.created, the answer; or the tax service's refusal
//! ```
//!
//! A `PUT` asks before its transaction, writes, and answers. It converges by itself: sent again, it
//! finds what it asks for, changes nothing, and asks nobody.

mod amounts;
mod answer;
mod event;
mod find;
mod invoice;
mod issue;
mod operation;
mod put;
mod question;
mod show;
mod tax_service;
mod tries;
mod write;

pub use event::{INVOICE_CREATED, INVOICE_REPLACED, InvoiceWritten};
pub use invoice::{Invoice, InvoiceRequest, Line};
pub(super) use operation::{Operation, not_configured};
pub(super) use put::put;
pub(super) use show::show;
pub(super) use tax_service::TaxService;
