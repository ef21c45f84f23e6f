//! Everybody who acts on the payment path's events.

use std::sync::Arc;

use super::inventory::Inventory;
use super::journal::Journal;
use super::receipts::Receipts;
use crate::inbox::Consumer;

/// The consumers of the payment path: `inventory`, `journal` and `receipts`.
pub fn consumers() -> Vec<Arc<dyn Consumer>> {
    vec![Arc::new(Inventory), Arc::new(Journal), Arc::new(Receipts)]
}
