//! What a payment is made of, as it is asked for and as it is answered.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::http::Validate;
use crate::payments::charges::{check_amount_and_currency, check_source};

/// The body of `POST /payments`. Members that are not listed are ignored, though they count as part of
/// the request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PaymentRequest {
    /// In minor units of the currency, 1 to 2^63−1.
    pub amount: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// What is charged, such as `tok_visa`.
    pub source: String,
}

/// A payment as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Payment {
    /// `pmt_` and a UUIDv7.
    pub id: String,
    /// In minor units of the currency.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// What was charged.
    pub source: String,
    /// `pending` until the processor has answered, then `succeeded` or `declined`.
    pub status: String,
    /// The processor's own id of the charge.
    pub processor_reference: Option<String>,
    /// When it was begun, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Validate for PaymentRequest {
    fn validate(&self) -> Result<(), String> {
        check_amount_and_currency(self.amount, &self.currency)?;
        check_source(&self.source)
    }
}
