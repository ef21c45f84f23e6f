//! What an invoice is made of, as it is asked for and as it is answered.

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use time::OffsetDateTime;

use super::amounts::subtotal;
use crate::http::Validate;
use crate::payments::charges::{check_currency, is_code, is_text, require};

/// The most lines.
const LINES_MAX: usize = 1000;

/// The body of `POST /invoices` and `PUT /invoices/{id}`. Members that are not listed are ignored,
/// though with a key they count as part of the request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InvoiceRequest {
    /// Who is to pay.
    pub customer: String,
    /// Where it is taxed: ISO 3166 code, two capital letters.
    pub country: String,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// What is invoiced, 1 to 1000 lines.
    pub lines: Vec<Line>,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// For people.
    pub description: String,
    /// In minor units of the currency, 1 or more.
    pub amount: i64,
}

/// An invoice as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invoice {
    /// `inv_` and a UUIDv7, or what a `PUT` has called it.
    pub id: String,
    /// Who is to pay.
    pub customer: String,
    /// Where it is taxed.
    pub country: String,
    /// ISO 4217 code.
    pub currency: String,
    /// What is invoiced.
    pub lines: Vec<Line>,
    /// The sum of the lines, in minor units.
    pub subtotal: i64,
    /// The tax service's rate, in millionths.
    pub tax_rate_ppm: i64,
    /// That part of the subtotal, rounded half up.
    pub tax: i64,
    /// Subtotal and tax.
    pub total: i64,
    /// When it was made, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last replaced, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// How often it was written: its `ETag`.
    #[serde(skip)]
    pub version: i64,
}

impl Validate for InvoiceRequest {
    fn validate(&self) -> Result<(), String> {
        require(
            is_text(&self.customer),
            "`customer` must be 1 to 255 printable characters.",
        )?;
        require(
            is_code(&self.country, 2),
            "`country` must be two capital letters, such as DE.",
        )?;
        check_currency(&self.currency)?;
        require(
            (1..=LINES_MAX).contains(&self.lines.len()),
            "`lines` must be 1 to 1000 lines.",
        )?;
        for line in &self.lines {
            require(
                is_text(&line.description),
                "`description` of each of `lines` must be 1 to 255 printable characters.",
            )?;
            require(
                0 < line.amount,
                "`amount` of each of `lines` must be 1 or more, in minor units.",
            )?;
        }
        require(
            subtotal(&self.lines).is_some(),
            "`lines` must not add up to more than 2^62−1 minor units.",
        )
    }
}

impl Invoice {
    /// Its strong entity tag.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// Whether `request` asks for what it is already.
    pub(super) fn is(&self, request: &InvoiceRequest) -> bool {
        self.customer == request.customer
            && self.country == request.country
            && self.currency == request.currency
            && self.lines == request.lines
    }
}

impl FromRow<'_, PgRow> for Invoice {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let descriptions: Vec<String> = row.try_get("descriptions")?;
        let amounts: Vec<i64> = row.try_get("amounts")?;
        let lines = descriptions.into_iter().zip(amounts);
        let lines = lines.map(|(description, amount)| Line {
            description,
            amount,
        });
        Ok(Self {
            id: row.try_get("id")?,
            customer: row.try_get("customer")?,
            country: row.try_get("country")?,
            currency: row.try_get("currency")?,
            lines: lines.collect(),
            subtotal: row.try_get("subtotal")?,
            tax_rate_ppm: row.try_get("tax_rate_ppm")?,
            tax: row.try_get("tax")?,
            total: row.try_get("total")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            version: row.try_get("version")?,
        })
    }
}
