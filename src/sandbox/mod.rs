//! The services outside our Postgres, small enough to run in a test and in `oncely dev`: a card processor
//! and a tax service, each with books of its own and with failures on command.

mod counter;
mod processor;
mod tax_service;

pub use processor::{Entry, Processor, Quirk, Seen};
pub use tax_service::{Question as TaxQuestion, TaxQuirk, TaxService};
