//! A record that is there when a claim conflicts with it, and gone or expired when it is looked up.

use std::time::Duration;

use oncely::config::Claim;

use super::world::{Pending, say, session, somebody_waits_for_a_lock};
use crate::harness::{App, Recipe, RedisChoice, Reply, run};

/// Stops each statement that inserts into the ledger, after it has met its conflict and before it
/// answers, for as long as the test holds the lock 31.
const STOP: &str = "
CREATE FUNCTION public.stop() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_advisory_xact_lock(31); RETURN NULL; END $$;
CREATE TRIGGER stop AFTER INSERT ON oncely.records FOR EACH STATEMENT EXECUTE FUNCTION public.stop()";

/// The other one's effect goes with its record, so that what is left is ours.
const DELETE: &str = "DELETE FROM oncely.records; DELETE FROM public.charges";

const EXPIRE: &str = "
UPDATE oncely.records
SET created_at = created_at - interval '90 h', expires_at = expires_at - interval '90 h';
DELETE FROM public.charges";

/// An app that meets conflicts, and another one that makes them. Without Redis, which would know
/// the answer; with a lock that always says yes, or none.
async fn apps(claim: Claim) -> (App, App) {
    let absent = || Recipe::default().redis(RedisChoice::Absent).claim(claim);
    let patient = absent().stubbed_lock().with(|config| {
        // The trigger's wait is a wait for a lock too.
        config.ledger.insert_wait_timeout = Duration::from_mins(1);
        config.ledger.statement_timeout = Duration::from_mins(1);
    });
    let app = App::made(patient).await;
    let other = App::made(absent().beside(&app)).await;
    (app, other)
}

/// Does `fate` to the record between the conflict and the look-up, and returns the answer.
async fn conflict(app: &App, other: &App, claim: Claim, fate: &'static str) -> Reply {
    match claim {
        Claim::Advisory => {
            // The record comes while the handler is at work.
            let point = "store.transactional.after_work";
            let (at_work, request) = Pending::held(app, point, "k-1", 1).await;
            there_is_a_record(other).await;
            let mut lost = app.points.hold("store.transactional.after_lost_race");
            at_work.release();
            assert!(lost.arrived().await);
            app.execute(fate).await;
            lost.release();
            request.reply().await
        }
        Claim::InsertWait => {
            there_is_a_record(other).await;
            let mut holder = session(&app.database_url).await;
            say(&mut holder, "BEGIN; SELECT pg_advisory_xact_lock(31)").await;
            app.execute(STOP).await;
            let request = Pending::charge(&app.caller(), "k-1", 1);
            somebody_waits_for_a_lock(app).await;
            app.execute(fate).await;
            say(&mut holder, "COMMIT").await;
            request.reply().await
        }
    }
}

async fn there_is_a_record(other: &App) {
    assert_eq!(other.caller().charge("k-1", 1).await.status, 201);
    assert_eq!((other.n_charges().await, other.n_records().await), (1, 1));
}

/// The retry runs where the answer was 409, and replays it otherwise; once in either case.
async fn heals(app: &App, first: &Reply) {
    let executed = i64::from(first.status == 201);
    assert_eq!(
        app.n_charges().await,
        executed,
        "nothing of ours: {first:?}"
    );
    let retry = app.caller().charge("k-1", 1).await;
    let expected = if first.status == 201 {
        "replayed"
    } else {
        "created"
    };
    assert_eq!(
        (retry.status, retry.idempotency_status()),
        (201, expected),
        "{retry:?}"
    );
    assert_eq!(
        app.caller().charge("k-1", 1).await.essence(),
        retry.essence()
    );
    assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
}

#[test]
fn a_record_that_is_deleted_between_conflict_and_look_up_ends_in_409_and_the_retry_runs() {
    run(async {
        for claim in [Claim::Advisory, Claim::InsertWait] {
            let (app, other) = apps(claim).await;
            let first = conflict(&app, &other, claim, DELETE).await;
            assert_eq!(first.code(), "in-flight", "{claim:?}: {first:?}");
            heals(&app, &first).await;
        }
    });
}

#[test]
fn a_record_that_expires_between_conflict_and_look_up_ends_in_409_or_one_execution() {
    run(async {
        for (claim, expected) in [(Claim::Advisory, 409), (Claim::InsertWait, 201)] {
            let (app, other) = apps(claim).await;
            let first = conflict(&app, &other, claim, EXPIRE).await;
            assert_eq!(first.status, expected, "{claim:?}: {first:?}");
            heals(&app, &first).await;
        }
    });
}
