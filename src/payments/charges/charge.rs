//! What a charge is made of, as it is asked for and as it is answered.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::http::Validate;

/// The longest text member, in bytes; the table's `CHECK`s hold the same bound.
const TEXT_BYTES_MAX: usize = 255;

/// The body of `POST /charge`. Members that are not listed are ignored, though they count as part
/// of the request: the same key with another value of theirs is a mismatch.
#[derive(Debug, Clone, Deserialize)]
pub struct ChargeRequest {
    /// In minor units of the currency, 1 to 2^63−1.
    pub amount: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// What is charged, such as `tok_visa`.
    pub source: String,
    /// What is bought, where it is to be reserved from the inventory.
    pub sku: Option<String>,
    /// How many of it, 1 or more.
    pub quantity: Option<i64>,
}

/// A charge as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Charge {
    /// `ch_` and a UUIDv7.
    pub id: String,
    /// In minor units of the currency.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// What was charged.
    pub source: String,
    /// What was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// How many of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// `succeeded`.
    pub status: String,
    /// When, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Validate for ChargeRequest {
    fn validate(&self) -> Result<(), String> {
        check_amount_and_currency(self.amount, &self.currency)?;
        check_source(&self.source)?;
        self.sku.as_deref().map_or(Ok(()), check_sku)?;
        self.quantity.map_or(Ok(()), check_quantity)
    }
}

/// The rules of an item's name.
pub(in crate::payments) fn check_sku(sku: &str) -> Result<(), String> {
    require(is_text(sku), "`sku` must be 1 to 255 printable characters.")
}

/// The rules of how many.
pub(in crate::payments) fn check_quantity(quantity: i64) -> Result<(), String> {
    require(0 < quantity, "`quantity` must be 1 or more.")
}

/// The rules of an amount and its currency.
pub(in crate::payments) fn check_amount_and_currency(
    amount: i64,
    currency: &str,
) -> Result<(), String> {
    require(
        0 < amount,
        "`amount` must be 1 or more, in minor units (4200 is 42.00 USD).",
    )?;
    check_currency(currency)
}

/// The rules of a currency.
pub(in crate::payments) fn check_currency(currency: &str) -> Result<(), String> {
    require(
        is_code(currency, 3),
        "`currency` must be three capital letters, such as USD.",
    )
}

/// The rules of what is charged.
pub(in crate::payments) fn check_source(source: &str) -> Result<(), String> {
    require(
        is_text(source),
        "`source` must be 1 to 255 printable characters, such as tok_visa.",
    )
}

/// Whether this is a code of `n` capital letters.
pub(in crate::payments) fn is_code(text: &str, n: usize) -> bool {
    text.len() == n && text.bytes().all(|it| it.is_ascii_uppercase())
}

/// `rule` where it is not met.
pub(in crate::payments) fn require(is_met: bool, rule: &str) -> Result<(), String> {
    if is_met { Ok(()) } else { Err(rule.to_owned()) }
}

/// Whether a text member is one: 1 to 255 bytes without control characters.
pub(in crate::payments) fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> Option<String> {
        serde_json::from_str::<ChargeRequest>(body)
            .unwrap()
            .validate()
            .err()
    }

    #[test]
    fn a_body_of_the_contract_is_taken() {
        let body = r#"{"amount": 4200, "currency": "USD", "source": "tok_visa", "sku": "sku-1", "quantity": 1}"#;
        assert_eq!(refusal(body), None);
        assert_eq!(
            refusal(r#"{"amount": 9223372036854775807, "currency": "JPY", "source": "x"}"#),
            None
        );
    }

    #[test]
    fn each_wrong_member_is_named() {
        for (member, body) in [
            (
                "amount",
                r#"{"amount": 0, "currency": "USD", "source": "tok_visa"}"#,
            ),
            (
                "amount",
                r#"{"amount": -1, "currency": "USD", "source": "tok_visa"}"#,
            ),
            (
                "currency",
                r#"{"amount": 1, "currency": "usd", "source": "tok_visa"}"#,
            ),
            (
                "currency",
                r#"{"amount": 1, "currency": "USDT", "source": "tok_visa"}"#,
            ),
            (
                "source",
                r#"{"amount": 1, "currency": "USD", "source": ""}"#,
            ),
            (
                "source",
                r#"{"amount": 1, "currency": "USD", "source": "a\u0000b"}"#,
            ),
            (
                "sku",
                r#"{"amount": 1, "currency": "USD", "source": "x", "sku": ""}"#,
            ),
            (
                "quantity",
                r#"{"amount": 1, "currency": "USD", "source": "x", "quantity": 0}"#,
            ),
        ] {
            assert!(
                refusal(body).unwrap().contains(&format!("`{member}`")),
                "{body}"
            );
        }
    }
}
