//! The database's clock and this machine's disagree: every stored time is the database's.

use oncely::config::Claim;
use oncely::testkit::{Database, Pair};
use oncely::{ledger, payments};

use super::world::session;
use crate::harness::{App, Recipe, run};

/// Records whose times are all those of the transaction that charged.
const TRUE_TIMES: &str = "
SELECT count(*) FROM oncely.records r JOIN public.charges c ON r.created_at = c.created_at
WHERE r.completed_at = c.created_at AND r.expires_at = c.created_at + interval '72 h'";

/// A database whose `now()` is off by so many minutes.
async fn database(n_minutes: i32) -> Database {
    let pair = Pair::shared().await.unwrap();
    let database = Database::create(pair.postgres.url()).await.unwrap();
    let name = database.name();
    let shift = format!(
        "CREATE SCHEMA shifted;
         CREATE FUNCTION shifted.now() RETURNS timestamptz LANGUAGE sql STABLE
             AS 'SELECT pg_catalog.now() + interval ''{n_minutes} minutes''';
         ALTER DATABASE {name} SET search_path = shifted, pg_catalog, public"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(shift))
        .execute(&mut session(database.url()).await)
        .await
        .unwrap();
    let mut connection = session(database.url()).await;
    ledger::migrate(&mut connection).await.unwrap();
    payments::migrate(&mut connection).await.unwrap();
    database
}

#[test]
fn every_stored_time_is_the_database_s_and_a_wrong_clock_changes_no_answer() {
    run(async {
        for n_minutes in [-5, 0, 5] {
            for claim in [Claim::Advisory, Claim::InsertWait] {
                let database = database(n_minutes).await;
                let recipe = Recipe::default().claim(claim).database_at(database.url());
                let app = App::made(recipe).await;
                let told = format!("{n_minutes} minutes, {claim:?}");
                let first = app.caller().charge("k-1", 1).await;
                assert_eq!(first.status, 201, "{told}: {first:?}");
                assert_eq!(app.count(TRUE_TIMES).await, 1, "{told}");
                let minutes_off = "SELECT round(extract(epoch FROM created_at - pg_catalog.now()) \
                                   / 60)::bigint FROM oncely.records";
                assert_eq!(app.count(minutes_off).await, i64::from(n_minutes), "{told}");

                let from_redis = app.caller().charge("k-1", 1).await;
                app.flush_redis().await;
                let from_ledger = app.caller().charge("k-1", 1).await;
                for replay in [from_redis, from_ledger] {
                    assert_eq!(replay.idempotency_status(), "replayed", "{told}");
                    assert_eq!(replay.essence(), first.essence(), "{told}");
                }
                assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
            }
        }
    });
}
