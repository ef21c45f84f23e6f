//! Stock: what a charge has bought is reserved.

mod reserve;

pub use reserve::Inventory;
