//! What a Postgres says of itself, read on a connection of its own.

use sqlx::{Connection as _, FromRow, PgConnection};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clock;
use crate::config::Secret;

/// Who is not allowed to see others' sessions (`pg_read_all_stats`) sees no state and no times of them.
const SERVER: &str = "
SELECT current_setting('server_version') AS version,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standby_names,
    (SELECT count(*) FROM pg_stat_replication) AS standbys,
    (SELECT count(*) FROM pg_stat_replication
     WHERE sync_state IN ('sync', 'quorum')) AS sync_standbys,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
    current_setting('max_connections')::int8
        - current_setting('superuser_reserved_connections')::int8 AS connections_max,
    (SELECT count(*) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS connections,
    current_setting('autovacuum') = 'on' AS autovacuum,
    (SELECT age(datfrozenxid)::int8 FROM pg_database
     WHERE datname = current_database()) AS frozen_age";

/// Whatever keeps vacuum from taking dead rows away in this database, the oldest first.
const HOLDERS: &str = "
SELECT kind, name, seconds FROM (
    SELECT 'session' AS kind,
        format('pid %s, %s, %s', pid, coalesce(nullif(application_name, ''), 'no name'), state) AS name,
        extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
        AND backend_type = 'client backend'
    UNION ALL
    SELECT 'prepared transaction', gid, extract(epoch FROM clock_timestamp() - prepared)::float8
    FROM pg_prepared_xacts WHERE database = current_database()
) AS holders ORDER BY seconds DESC LIMIT 5";

/// Slots that nobody reads keep WAL and dead rows for ever.
const SLOTS: &str = "
SELECT slot_name::text FROM pg_replication_slots WHERE NOT active ORDER BY slot_name LIMIT 5";

const TABLES: &str = "
SELECT c.relname::text AS name,
    coalesce(EXISTS (SELECT FROM unnest(c.reloptions) AS o (it)
        WHERE it IN ('autovacuum_enabled=false', 'autovacuum_enabled=off')), false) AS is_left_out,
    coalesce(s.n_live_tup, 0) AS live, coalesce(s.n_dead_tup, 0) AS dead
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
WHERE n.nspname = 'oncely' AND c.relkind = 'r' ORDER BY c.relname";

/// Everything that is judged about a server, beside what a start checks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    pub(super) server: Server,
    pub(super) holders: Vec<Holder>,
    pub(super) idle_slots: Vec<String>,
    pub(super) tables: Vec<Table>,
    /// How far the server's clock is ahead of ours, in seconds.
    pub(super) skew: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Server {
    pub(super) version: String,
    pub(super) synchronous_commit: String,
    pub(super) standby_names: String,
    pub(super) standbys: i64,
    pub(super) sync_standbys: i64,
    /// Whether this role may see what others' sessions do.
    pub(super) sees_all: bool,
    /// How many connections there can be.
    pub(super) connections_max: i64,
    /// How many others there are.
    pub(super) connections: i64,
    pub(super) autovacuum: bool,
    /// Transactions since the oldest row that is not frozen.
    pub(super) frozen_age: i64,
}

/// Something that keeps vacuum from its work.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub(super) struct Holder {
    pub(super) kind: String,
    pub(super) name: String,
    /// For how long.
    pub(super) seconds: f64,
}

/// One of our tables, or a partition of one.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Table {
    pub(super) name: String,
    /// Whether autovacuum is switched off for it.
    pub(super) is_left_out: bool,
    pub(super) live: i64,
    pub(super) dead: i64,
}

pub(super) async fn gather(url: &Secret) -> sqlx::Result<Facts> {
    let mut connection = PgConnection::connect(url.expose()).await?;
    let facts = Facts {
        skew: skew(&mut connection).await?,
        server: sqlx::query_as(SERVER).fetch_one(&mut connection).await?,
        holders: sqlx::query_as(HOLDERS).fetch_all(&mut connection).await?,
        idle_slots: sqlx::query_scalar(SLOTS).fetch_all(&mut connection).await?,
        tables: sqlx::query_as(TABLES).fetch_all(&mut connection).await?,
    };
    connection.close().await?;
    Ok(facts)
}

/// The quickest of three looks at both clocks: half of its round trip is the error.
async fn skew(connection: &mut PgConnection) -> sqlx::Result<f64> {
    let mut best: Option<(f64, f64)> = None;
    for _ in 0..3 {
        let (started, before) = (Instant::now(), clock::now());
        let there: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()")
            .fetch_one(&mut *connection)
            .await?;
        let trip = started.elapsed().as_secs_f64();
        let skew = (there - before).as_seconds_f64() - trip / 2.0;
        if best.is_none_or(|(least, _)| trip < least) {
            best = Some((trip, skew));
        }
    }
    Ok(best.map_or(0.0, |(_, skew)| skew))
}
