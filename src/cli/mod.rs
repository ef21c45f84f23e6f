//! The operator's commands: what is typed, what is printed, and the exit code.
//!
//! A new command is a variant of [`Command`] in `arguments.rs`, a file of its own with its flags
//! and its `run`, and an arm in `run.rs`. A command that needs tokio builds its own runtime: most
//! need none.

mod arguments;
mod config;
mod dev;
mod dlq;
mod doctor;
mod effects;
mod healthcheck;
mod instant;
mod key;
mod ledger;
mod migrate;
mod openapi;
mod outbox;
mod output;
mod prune;
mod run;
mod runtime;
mod serve;
mod storm;
mod table;

pub use arguments::{
    Arguments, Command, ConsumeCommand, DevCommand, HealthcheckCommand, LedgerCommand,
    MigrateAction, MigrateCommand, RelayCommand, ServeCommand, Settings,
};
pub use config::ConfigCommand;
pub use dlq::{Bulk, DlqCommand, Which};
pub use doctor::{DoctorCommand, RUNBOOK_ANCHORS};
pub use effects::{EffectsCommand, Verify};
pub use key::KeyCommand;
pub use openapi::OpenapiCommand;
pub use outbox::{ListArguments, OutboxCommand};
pub use prune::PruneCommand;
pub use run::run;
pub use storm::StormCommand;
pub use table::Form;
