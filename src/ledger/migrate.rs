//! Brings the schema to the version that this binary was built with.

use sqlx::PgConnection;
use sqlx::migrate::{Migrate, Migrator};

use super::error::{Class, Error, Operation};

/// The ledger's own tables, in the schema `oncely`, beside whatever the host application has.
static LEDGER: Migrator = sqlx::migrate!("migrations/oncely");

/// How the database's schema compares with this binary's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationStatus {
    /// They agree.
    Current,
    /// So many migrations are missing: run `oncely migrate`.
    Behind(usize),
    /// A newer binary migrated the database: this one must not serve it.
    Ahead,
}

/// Applies what is missing. Safe to run twice, and from several processes at once.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
    migrator()
        .run_direct(None, connection, false)
        .await
        .map_err(|cause| Error::new(Operation::Migrate, Class::Permanent, cause))
}

/// Compares the database's schema with this binary's, changing nothing.
pub async fn migration_status(connection: &mut PgConnection) -> Result<MigrationStatus, Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('oncely.migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::driver(Operation::Migrate))?;
    let applied: Vec<i64> = if exists {
        connection
            .list_applied_migrations("oncely.migrations")
            .await
            .map_err(|cause| Error::new(Operation::Migrate, Class::Transient, cause))?
            .into_iter()
            .map(|it| it.version)
            .collect()
    } else {
        Vec::new()
    };
    if !applied.iter().all(|it| LEDGER.version_exists(*it)) {
        return Ok(MigrationStatus::Ahead);
    }
    match LEDGER
        .iter()
        .filter(|it| !applied.contains(&it.version))
        .count()
    {
        0 => Ok(MigrationStatus::Current),
        n_missing => Ok(MigrationStatus::Behind(n_missing)),
    }
}

fn migrator() -> Migrator {
    let mut migrator = Migrator::with_migrations(LEDGER.migrations.to_vec());
    migrator.dangerous_set_table_name("oncely.migrations");
    migrator.create_schema("oncely");
    migrator
}
