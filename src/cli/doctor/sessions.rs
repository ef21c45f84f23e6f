//! Whether our sessions are ours: their settings arrive, and no pooler hands them to somebody else.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::anchor;
use super::report::Check;
use crate::config::{self, Secret};
use crate::ledger::{Error, Ledger};

/// What each connection of ours is made to obey. `tcp_user_timeout` is 0 on a socket without TCP.
const SETTINGS: &str = "
SELECT name, setting FROM pg_settings
WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout',
    'client_connection_check_interval')";

/// What two connections have shown, both open at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pooler {
    /// Whether both were led to the same process of the server.
    pub(super) is_shared: bool,
    /// Whether one got what the other had asked for.
    pub(super) is_mixed_up: bool,
}

/// The settings of a connection as requests use it, in milliseconds.
pub(super) async fn settings(ledger: &Ledger) -> Result<BTreeMap<String, String>, Error> {
    let mut reader = ledger.reader().await?;
    let settings: Vec<(String, String)> = sqlx::query_as(SETTINGS)
        .fetch_all(&mut *reader)
        .await
        .map_err(Error::inspect)?;
    reader.finish();
    Ok(settings.into_iter().collect())
}

/// Opens two connections and sees where they end.
pub(super) async fn look_for_pooler(url: &Secret) -> sqlx::Result<Pooler> {
    let mut one = PgConnection::connect(url.expose()).await?;
    let mut other = PgConnection::connect(url.expose()).await?;
    // The simple protocol: a pooler that mixes up prepared statements answers this one right.
    let is_shared = process_of(&mut one).await? == process_of(&mut other).await?;
    let is_mixed_up = is_shared && is_mixed_up(&mut one, &mut other).await;
    one.close().await.ok();
    other.close().await.ok();
    Ok(Pooler {
        is_shared,
        is_mixed_up,
    })
}

async fn process_of(connection: &mut PgConnection) -> sqlx::Result<String> {
    use sqlx::Row as _;
    let row = sqlx::raw_sql("SELECT pg_backend_pid()::text AS pid")
        .fetch_one(connection)
        .await?;
    row.try_get("pid")
}

/// Both prepare a statement of their own under the same name, as every connection of the driver does,
/// and each asks in turns. An error is a mix-up as well.
async fn is_mixed_up(one: &mut PgConnection, other: &mut PgConnection) -> bool {
    for round in 0..4_i64 {
        for (connection, add) in [(&mut *one, 1_000), (&mut *other, 2_000)] {
            let ask = AssertSqlSafe(format!("SELECT $1::int8 + {add}"));
            let answer: sqlx::Result<i64> = sqlx::query_scalar(ask)
                .bind(round)
                .fetch_one(connection)
                .await;
            if answer.ok() != Some(round + add) {
                return true;
            }
        }
    }
    false
}

pub(super) fn judge_settings(found: &BTreeMap<String, String>, settings: &config::Ledger) -> Check {
    let name = "session-timeouts";
    let wanted = [
        ("statement_timeout", settings.statement_timeout),
        (
            "idle_in_transaction_session_timeout",
            settings.idle_in_transaction_timeout,
        ),
        (
            "client_connection_check_interval",
            settings.client_connection_check_interval,
        ),
    ];
    let lost = wanted
        .iter()
        .find(|(key, value)| found.get(*key) != Some(&value.as_millis().to_string()));
    match lost {
        None => Check::good(name, "as configured, on a connection like those of requests"),
        Some((key, value)) => Check::error(
            name,
            format!(
                "{key} is {} ms and not {} ms: the lock of a process that is gone may stay for hours",
                found.get(*key).map_or("unknown", String::as_str),
                value.as_millis()
            ),
            format!(
                "something between drops it: connect directly, or `ALTER ROLE … SET {key} = {}`",
                value.as_millis()
            ),
        )
        .see(anchor::IN_FLIGHT),
    }
}

pub(super) fn judge_pooler(pooler: Pooler) -> Check {
    let name = "pooler";
    let check = match (pooler.is_shared, pooler.is_mixed_up) {
        (false, _) => Check::good(
            name,
            "none that shares sessions: two connections are two sessions",
        ),
        (true, true) => Check::error(
            name,
            "a pooler in transaction mode that mixes up prepared statements: one request may be \
             given the rows of another",
            "connect directly, or PgBouncer 1.21 or later with max_prepared_statements over 0",
        ),
        (true, false) => Check::warning(
            name,
            "a pooler in transaction mode that keeps prepared statements apart: session settings \
             do not last, and LISTEN does not work",
            "set the timeouts by `ALTER ROLE … SET`; migrate, relay and consume over a direct URL",
        ),
    };
    check.see(anchor::LEDGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Level;
    use crate::config::Config;

    #[test]
    fn a_pooler_that_shares_sessions_is_a_warning_and_one_that_mixes_them_up_an_error() {
        for (is_shared, is_mixed_up, level) in [
            (false, false, Level::Good),
            (true, false, Level::Warning),
            (true, true, Level::Error),
        ] {
            let pooler = Pooler {
                is_shared,
                is_mixed_up,
            };
            assert_eq!(judge_pooler(pooler).level, level, "{pooler:?}");
        }
    }

    #[test]
    fn a_timeout_that_does_not_arrive_is_an_error() {
        let settings = Config::default().ledger;
        let mut found = BTreeMap::from([
            ("statement_timeout".to_owned(), "5000".to_owned()),
            (
                "idle_in_transaction_session_timeout".to_owned(),
                "5000".to_owned(),
            ),
            (
                "client_connection_check_interval".to_owned(),
                "250".to_owned(),
            ),
        ]);
        assert_eq!(judge_settings(&found, &settings).level, Level::Good);
        found.insert("statement_timeout".to_owned(), "0".to_owned());
        let check = judge_settings(&found, &settings);
        assert_eq!(check.level, Level::Error);
        assert!(
            check.found.contains("statement_timeout is 0 ms"),
            "{check:?}"
        );
    }
}
