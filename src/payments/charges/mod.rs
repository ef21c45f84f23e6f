//! Charges: `POST /charge` and `GET /charge/{id}`.

mod charge;
mod create;
mod event;
mod show;
mod source;

pub use charge::{Charge, ChargeRequest};
pub(super) use create::create;
pub use event::{CHARGE_SUCCEEDED, ChargeSucceeded};
pub(super) use show::show;
pub use source::DECLINED_SOURCES;
