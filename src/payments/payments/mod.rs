//! Payments: `POST /payments`, a charge that a card processor makes, outside our database, and
//! `GET /payments/{id}`.
//!
//! ```text
//!   record   write   the row, pending; the key that the call will carry
//!   charge   call    POST /charges at the processor
//!   finish   write   the row's end, payment.succeeded, the answer
//! ```

mod charge;
mod event;
mod finish;
mod operation;
mod payment;
mod processor;
mod record;
mod show;

pub use event::{PAYMENT_SUCCEEDED, PaymentSucceeded};
pub(super) use operation::{not_configured, operation};
pub use payment::{Payment, PaymentRequest};
pub(super) use show::show;
