//! Reservations: `POST /reserve`, stock promised to whoever asks first.
//!
//! # The hot row
//!
//! Everybody who wants the same item wants the same row of `inventory`, so they pass it one by one, and
//! its lock is what bounds the throughput of an item that is in fashion. It is held from the UPDATE to
//! COMMIT. So the UPDATE is the handler's last statement: all that can be written before is. What comes
//! after is the stored answer and COMMIT, which belong to the same transaction.
//!
//! An item that is sold out is in fashion too. Whoever finds it so by a plain read is refused without a
//! lock and without a write. That read decides nothing else: only the guard of the UPDATE does.

mod create;
mod reservation;
#[cfg(feature = "cli")]
mod stock;

pub(super) use create::create;
pub use reservation::{Reservation, ReserveRequest};
#[cfg(feature = "cli")]
pub use stock::stock_up;
