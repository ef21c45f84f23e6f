//! Receipts: what the customer is told.

mod amount;
mod send;

pub use send::Receipts;
