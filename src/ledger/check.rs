//! Looks at the server before serving, and refuses one that cannot keep the promise.

use sqlx::{Connection, FromRow, PgConnection};
use tokio::time::timeout;

use super::connection::Ledger;
use super::error::{Class, Error, Operation};
use super::migrate::{MigrationStatus, migration_status};

const SERVER: &str = "
SELECT current_setting('server_version_num')::int AS version,
       pg_is_in_recovery() AS in_recovery,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit";

/// Any of our tables that a crash of the server would empty.
const UNLOGGED: &str = "
SELECT c.relname::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'oncely' AND c.relkind IN ('r', 'p') AND c.relpersistence <> 'p'
ORDER BY 1";

/// The first with `client_connection_check_interval`.
const VERSION_MIN: i32 = 140_000;

#[derive(FromRow)]
struct Server {
    version: i32,
    in_recovery: bool,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
}

/// Why a database must not be served from, with the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server lacks what each connection is made to obey.
    #[error("Postgres {}.{} is too old: 14 or later is needed; upgrade it", .0 / 10_000, .0 % 10_000)]
    TooOld(i32),
    /// The server is a standby.
    #[error(
        "the database is a read replica: a ledger there shows commits late and takes no writes; \
         point `database_url` at the primary"
    )]
    ReadReplica,
    /// The server may lose acknowledged commits.
    #[error(
        "{setting} is off: a crash of the database loses acknowledged charges; \
         set `{setting} = on` in postgresql.conf (`oncely dev --allow-unsafe-durability` is for trying out)"
    )]
    UnsafeDurability {
        /// The server's setting.
        setting: &'static str,
    },
    /// A table of the ledger does not survive a crash.
    #[error(
        "the table oncely.{table} is UNLOGGED: a crash of the database empties it; \
         run `ALTER TABLE oncely.{table} SET LOGGED`"
    )]
    Unlogged {
        /// The table.
        table: String,
    },
    /// Migrations are missing.
    #[error("the database's schema lacks {0} migrations of this binary; run `oncely migrate`")]
    SchemaBehind(usize),
    /// The schema is newer than the binary.
    #[error(
        "the database's schema is newer than this binary, which could misread it; \
         deploy the newer binary"
    )]
    SchemaAhead,
}

impl Ledger {
    /// Returns every reason not to serve from this database; empty where there is none.
    pub async fn check(&self, allow_unsafe_durability: bool) -> Result<Vec<Refusal>, Error> {
        // Past the pools, which would only say that they waited. No transaction of ours: a standby
        // refuses one that may write, and it is to be named here.
        let connecting = PgConnection::connect_with(&self.options);
        let mut connection = timeout(self.settings.acquire_timeout, connecting)
            .await
            .map_err(|elapsed| Error::new(Operation::Connect, Class::Transient, elapsed))?
            .map_err(Error::driver(Operation::Connect))?;
        let failed = || Error::driver(Operation::Check);
        let server: Server = sqlx::query_as(SERVER)
            .fetch_one(&mut connection)
            .await
            .map_err(failed())?;
        let unlogged: Vec<String> = sqlx::query_scalar(UNLOGGED)
            .fetch_all(&mut connection)
            .await
            .map_err(failed())?;
        let schema = migration_status(&mut connection).await?;

        connection.close().await.map_err(failed())?;

        let mut refusals = Vec::new();
        if server.version < VERSION_MIN {
            refusals.push(Refusal::TooOld(server.version));
        }
        if server.in_recovery {
            refusals.push(Refusal::ReadReplica);
        }
        if !allow_unsafe_durability {
            refusals.extend(
                server
                    .unsafe_settings()
                    .map(|setting| Refusal::UnsafeDurability { setting }),
            );
        }
        refusals.extend(
            unlogged
                .into_iter()
                .map(|table| Refusal::Unlogged { table }),
        );
        match schema {
            MigrationStatus::Current => (),
            MigrationStatus::Behind(n_missing) => refusals.push(Refusal::SchemaBehind(n_missing)),
            MigrationStatus::Ahead => refusals.push(Refusal::SchemaAhead),
        }
        Ok(refusals)
    }
}

impl Server {
    fn unsafe_settings(&self) -> impl Iterator<Item = &'static str> {
        [
            ("fsync", &self.fsync),
            ("full_page_writes", &self.full_page_writes),
            ("synchronous_commit", &self.synchronous_commit),
        ]
        .into_iter()
        .filter(|(_, value)| *value == "off")
        .map(|(setting, _)| setting)
    }
}
