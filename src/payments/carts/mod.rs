//! Carts: `PUT`, `GET` and `DELETE /carts/{id}`.
//!
//! They need no key: a `PUT` of the whole cart and a `DELETE` come to the same however often they are
//! sent, so a key is ignored, and nothing is stored but the cart.

mod cart;
mod delete;
mod put;
mod show;

pub use cart::{Cart, CartLine};
pub(super) use delete::delete;
pub(super) use put::put;
pub(super) use show::show;
