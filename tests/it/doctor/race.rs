//! The live race: it finds an engine where the primary key, or the claim, does not decide.

use oncely::testkit::Pair;
use sqlx::{Connection, PgConnection};

use super::visit::{NO_REDIS, doctor, execute, visit};
use crate::harness::{migrated, run};

/// Gives each new record another id, as an engine would that does not see the first one's.
const BLIND: &str = "
CREATE FUNCTION public.blind() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.id := uuid_send(gen_random_uuid()); RETURN NEW; END';
CREATE TRIGGER blind BEFORE INSERT ON oncely.records
    FOR EACH ROW EXECUTE FUNCTION public.blind()";

#[test]
fn the_engine_alone_is_raced_in_both_dialects_and_nothing_stays() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        let database = migrated(pair.postgres.url()).await;
        for dialect in ["advisory", "insert_wait"] {
            let claim = [("ONCELY_LEDGER__CLAIM", dialect)];
            let (code, text) = doctor(&["--engine"], (database.url(), NO_REDIS), &claim).await;
            assert_eq!(code, 0, "{dialect}: {text}");
            assert!(text.contains("√ race"), "{text}");
        }
        let mut books = PgConnection::connect(database.url()).await.unwrap();
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM oncely.records")
            .fetch_one(&mut books)
            .await
            .unwrap();
        assert_eq!(n, 0, "the race left a record behind");
    });
}

#[test]
fn an_engine_where_both_write_or_both_claim_is_found() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        let database = migrated(pair.postgres.url()).await;
        let url = database.url();
        // The lock says yes to everybody, as on engines that have none.
        let shadow = format!(
            "CREATE FUNCTION public.pg_try_advisory_xact_lock(bigint) RETURNS boolean
                 LANGUAGE sql AS 'SELECT true';
             ALTER DATABASE {} SET search_path = public, pg_catalog",
            database.name()
        );
        execute(url, &shadow).await;
        let found = visit(url, NO_REDIS, &[]).await;
        found.finds("postgres", "race", "warning", "`advisory` does not keep");
        let waiting = [("ONCELY_LEDGER__CLAIM", "insert_wait")];
        visit(url, NO_REDIS, &waiting)
            .await
            .is_good("postgres", "race");

        execute(url, BLIND).await;
        let (code, text) = doctor(&["--engine"], (url, NO_REDIS), &[]).await;
        assert_eq!(code, 2, "{text}");
        assert!(
            text.contains("the primary key does not decide here"),
            "{text}"
        );
        assert!(text.contains("do not serve from this database"), "{text}");
    });
}
