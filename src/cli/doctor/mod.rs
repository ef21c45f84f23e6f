//! `oncely doctor`: looks at the servers and the settings, judges, and says the next step.
//!
//! Each subject has two halves: what gathers facts, and what judges them without any I/O.

mod anchor;
mod broker;
mod command;
mod flow;
mod postgres;
mod postgres_facts;
mod print;
mod race;
mod redis;
mod redis_facts;
mod report;
mod sessions;
mod settings;

pub use anchor::RUNBOOK_ANCHORS;
pub use command::DoctorCommand;
