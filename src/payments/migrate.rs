//! The payment path's own tables, apart from the ledger's.

use sqlx::PgConnection;
use sqlx::migrate::{MigrateError, Migrator};

static PAYMENTS: Migrator = sqlx::migrate!("migrations/payments");

/// Creates what is missing. Safe to run twice. The schema `oncely` must be there.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let mut migrator = Migrator::with_migrations(PAYMENTS.migrations.to_vec());
    migrator.dangerous_set_table_name("oncely.payments_migrations");
    migrator.run_direct(None, connection, false).await
}

/// Whether the tables are there.
pub async fn is_migrated(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let all = "SELECT to_regclass('public.charges') IS NOT NULL AND \
               to_regclass('public.payments') IS NOT NULL AND \
               to_regclass('public.invoices') IS NOT NULL AND \
               to_regclass('public.carts') IS NOT NULL";
    sqlx::query_scalar(all).fetch_one(connection).await
}
