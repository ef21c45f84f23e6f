//! What a reservation is made of, as it is asked for and as it is answered.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::http::Validate;
use crate::payments::charges::{check_quantity, check_sku};

/// The body of `POST /reserve`. Members that are not listed are ignored, though they count as part of
/// the request.
#[derive(Debug, Clone, Deserialize)]
pub struct ReserveRequest {
    /// What is reserved.
    pub sku: String,
    /// How many of it, 1 or more.
    pub quantity: i64,
}

/// A reservation as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Reservation {
    /// `rs_` and a UUIDv7.
    pub id: String,
    /// What is reserved.
    pub sku: String,
    /// How many of it.
    pub quantity: i64,
    /// `reserved`.
    pub status: String,
    /// When, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Validate for ReserveRequest {
    fn validate(&self) -> Result<(), String> {
        check_sku(&self.sku)?;
        check_quantity(self.quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_member_is_named() {
        for (sku, quantity, wrong) in [
            ("sku-1", 1, None),
            ("sku-1", i64::MAX, None),
            ("", 1, Some("`sku`")),
            ("a\u{0}b", 1, Some("`sku`")),
            ("sku-1", 0, Some("`quantity`")),
            ("sku-1", -1, Some("`quantity`")),
        ] {
            let sku = sku.to_owned();
            let refused = ReserveRequest { sku, quantity }.validate().err();
            assert_eq!(refused.is_some(), wrong.is_some(), "{refused:?}");
            assert!(refused.unwrap_or_default().contains(wrong.unwrap_or("")));
        }
    }
}
