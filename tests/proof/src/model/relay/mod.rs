//! The model of an event's way: outbox, relays, broker, consumers, inbox, in every order.

mod every_order;
mod steps;
mod way;

pub use way::{Relays, Trail};
