//! What the tax service is asked.

use serde::Serialize;

use super::amounts::{OutOfRange, subtotal};
use super::invoice::InvoiceRequest;

/// What is asked of the tax service.
#[derive(Debug, Serialize)]
pub(super) struct Question {
    /// The invoice's id, for people who compare books.
    reference: String,
    country: String,
    currency: String,
    /// The subtotal, in minor units.
    amount: i64,
}

impl Question {
    pub(super) fn of(id: &str, request: &InvoiceRequest) -> Result<Self, OutOfRange> {
        Ok(Self {
            reference: id.to_owned(),
            country: request.country.clone(),
            currency: request.currency.clone(),
            amount: subtotal(&request.lines).ok_or(OutOfRange)?,
        })
    }
}
