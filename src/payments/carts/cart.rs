//! What a cart is made of, as it is sent and as it is answered.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::http::{Code, Problem, Validate};
use crate::payments::charges::{check_quantity, check_sku, is_text};

/// A cart with more lines is somebody's mistake.
const LINES_MAX: usize = 100;

/// Why a cart was not read or written.
pub(super) type CartError = Box<dyn std::error::Error + Send + Sync>;

/// A cart: the body of `PUT /carts/{id}`, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    /// The caller's own name for it, from the path.
    #[serde(default, skip_deserializing)]
    pub id: String,
    /// What is in it, at most 100 lines.
    pub lines: Vec<CartLine>,
}

/// A line of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct CartLine {
    /// What is wanted.
    pub sku: String,
    /// How many of it, 1 or more.
    pub quantity: i64,
}

impl Validate for Cart {
    fn validate(&self) -> Result<(), String> {
        if LINES_MAX < self.lines.len() {
            return Err(format!("`lines` must be at most {LINES_MAX}."));
        }
        for line in &self.lines {
            check_sku(&line.sku)?;
            check_quantity(line.quantity)?;
        }
        Ok(())
    }
}

/// The id in the path; `None` where what stands there can't be one.
pub(super) fn id_of(path: Result<Path<String>, PathRejection>) -> Option<String> {
    path.ok().map(|Path(id)| id).filter(|it| is_text(it))
}

/// The answer where the ledger did not do its part.
pub(super) fn unavailable(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::warn!(error, "read or write a cart");
    let detail = "Send the same request again after Retry-After: it comes to the same.";
    Problem::new(Code::StoreUnavailable, detail).into_response()
}
