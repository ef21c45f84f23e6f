//! `oncely migrate`: brings the database to this binary's schema.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};

use super::output::{complain, say};
use super::runtime::block_on;
use super::{MigrateAction, MigrateCommand, Settings};
use crate::config::Secret;
use crate::ledger::{MigrationStatus, migrate, migration_status};
use crate::payments;

impl MigrateCommand {
    /// Migrates, or shows how far the database is.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (_, url) = settings.load_with_database()?;
        block_on(async move {
            match self.action.unwrap_or(MigrateAction::Up) {
                MigrateAction::Up => {
                    bring_up(&url).await?;
                    say("the schema is current\n")?;
                    Ok(ExitCode::SUCCESS)
                }
                MigrateAction::Status => status(&url).await,
            }
        })
    }
}

/// Applies what is missing, for the ledger and for the payment path.
pub(super) async fn bring_up(url: &Secret) -> Result<()> {
    let mut connection = connect(url).await?;
    migrate(&mut connection).await?;
    payments::migrate(&mut connection)
        .await
        .context("migrate the payment path's tables")?;
    connection
        .close()
        .await
        .context("close the connection to the database")
}

async fn status(url: &Secret) -> Result<ExitCode> {
    let mut connection = connect(url).await?;
    let ledger = migration_status(&mut connection).await?;
    let payments = payments::is_migrated(&mut connection)
        .await
        .context("look for public.charges")?;
    match (ledger, payments) {
        (MigrationStatus::Current, true) => {
            say("the schema is current\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        (MigrationStatus::Current, false) => {
            complain("the payment path's tables are missing; run `oncely migrate`\n");
        }
        (MigrationStatus::Behind(n), _) => {
            complain(&format!(
                "{n} migrations are missing; run `oncely migrate`\n"
            ));
        }
        (MigrationStatus::Ahead, _) => {
            complain("the schema is newer than this binary; deploy the newer binary\n");
        }
    }
    Ok(ExitCode::FAILURE)
}

async fn connect(url: &Secret) -> Result<PgConnection> {
    // The URL may hold a password and stays out of the message.
    PgConnection::connect(url.expose())
        .await
        .context("connect to the database at `database_url`")
}
