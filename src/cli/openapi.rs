//! `oncely openapi`: prints the description of the API for programs.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::output::say;
use super::table::json;
use crate::payments;

/// `oncely openapi`.
#[derive(Debug, Args)]
pub struct OpenapiCommand {}

impl OpenapiCommand {
    /// Prints the document. It needs no server and no settings.
    pub fn run(self) -> Result<ExitCode> {
        say(&json(&payments::openapi())?)?;
        Ok(ExitCode::SUCCESS)
    }
}
