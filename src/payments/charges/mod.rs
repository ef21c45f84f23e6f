//! Charges: `POST /charge` and `GET /charge/{id}`.

mod charge;
mod create;
mod event;
mod show;
mod source;

pub use charge::{Charge, ChargeRequest};
#[cfg(feature = "cli")]
pub(super) use charge::{
    check_amount_and_currency, check_currency, check_source, is_code, require,
};
pub(super) use charge::{check_quantity, check_sku, is_text};
pub(super) use create::create;
pub use event::{CHARGE_SUCCEEDED, ChargeSucceeded};
pub(super) use show::show;
pub use source::DECLINED_SOURCES;
