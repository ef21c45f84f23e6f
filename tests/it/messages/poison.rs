//! A message that nobody can apply, because it fails or because it kills whoever tries: a dead letter
//! after a fixed number of attempts, its neighbours untouched, and one effect once it is redriven.

use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;
use sqlx::{Connection, PgConnection};

use super::world::World;
use crate::harness::{Process, run, until};

/// The amount of the charge whose message is poison.
const POISON: i64 = 5;

/// What the hurried processes are told: `inbox.attempts_max`.
const ATTEMPTS_MAX: i64 = 3;

/// Makes the journal refuse the poisoned charge.
const REFUSE: &str = "
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount = 5 THEN RAISE EXCEPTION 'the journal has no account for this'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON public.journal_entries
    FOR EACH ROW EXECUTE FUNCTION public.refuse()";

/// Makes whoever writes the poisoned charge into the journal wait, so that it can be killed there.
const TRAP: &str = "
CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount = 5 THEN PERFORM pg_advisory_xact_lock_shared(5); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trap BEFORE INSERT ON public.journal_entries
    FOR EACH ROW EXECUTE FUNCTION public.trap()";

const TRAPPED: &str = "
SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.objid = 5 AND NOT l.granted";

const DEAD: &str = "SELECT count(*) FROM oncely.dead_letter WHERE state = 'dead'";

/// Runs an operator's command on the world's database.
async fn oncely(world: &World, arguments: &[&str]) -> String {
    let variables = [("ONCELY_DATABASE_URL", world.database.url())];
    let process = Process::start(arguments, &variables);
    let (status, out, complaints) = process.ended().await;
    assert!(status.success(), "{arguments:?}: {complaints}");
    out
}

/// Fails unless the poisoned message is the journal's one dead letter, and all others were applied.
async fn assert_dead(world: &World, n: i64, reason: &str) -> serde_json::Value {
    let others = format!(
        "SELECT count(DISTINCT charge_id) FROM public.journal_entries WHERE amount <> {POISON}"
    );
    until(|| async { world.count(&others).await == n - 1 }).await;
    let listed = oncely(world, &["dlq", "list", "--output", "json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let [letter] = &listed.as_array().unwrap()[..] else {
        panic!("{listed:#}");
    };
    assert_eq!(letter["consumer"], "journal");
    assert_eq!(letter["reason"], reason, "{letter:#}");
    assert_eq!(letter["attempts"], ATTEMPTS_MAX, "{letter:#}");
    letter.clone()
}

#[test]
fn a_message_that_fails_is_a_dead_letter_after_n_attempts_and_a_redrive_applies_it_once() {
    run(async {
        let world = World::start([]).await;
        world.execute(REFUSE).await;
        let mut service = world.serve("api,relay,consumer", &[]);
        let caller = service.caller().await;
        world.charge(&caller, 1, 20).await;
        until(|| async { world.count(DEAD).await == 1 }).await;
        let letter = assert_dead(&world, 20, "failed").await;
        let error = letter["error"].as_str().unwrap();
        assert!(
            error.contains("the journal has no account for this"),
            "{error}"
        );

        world
            .execute("DROP TRIGGER refuse ON public.journal_entries")
            .await;
        let id = letter["id"].as_str().unwrap();
        let redrive = [
            "dlq",
            "redrive",
            id,
            "--why",
            "the account is there",
            "--by",
            "ann",
        ];
        assert_eq!(oncely(&world, &redrive).await, "1 redriven\n");
        world.effects().await;
        world.quiet().await;
        let again = Process::start(&redrive, &[("ONCELY_DATABASE_URL", world.database.url())]);
        let (status, _, complaints) = { again }.ended().await;
        assert_eq!(status.code(), Some(1), "{complaints}");
        let shown = oncely(&world, &["dlq", "show", id]).await;
        assert!(
            shown.contains("redrive by ann: the account is there"),
            "{shown}"
        );
        world.execute("DELETE FROM oncely.dead_letter").await;
        world.assert_once(20).await;
    });
}

#[test]
fn a_message_that_kills_its_process_is_a_dead_letter_after_n_attempts() {
    run(async {
        let world = World::start([]).await;
        world.execute(TRAP).await;
        let mut service = world.serve("api,relay", &[]);
        let caller = service.caller().await;
        world.charge(&caller, 1, 20).await;
        let mut keeper = PgConnection::connect(world.database.url()).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock(5)")
            .execute(&mut keeper)
            .await
            .unwrap();

        let mut n_killed = 0;
        while world.count(DEAD).await == 0 {
            let mut consumer = world.serve("consumer", &[]);
            consumer.works().await;
            let (mut is_trapped, mut is_dead) = (false, false);
            while !is_trapped && !is_dead {
                is_trapped = 0 < world.count(TRAPPED).await;
                is_dead = 0 < world.count(DEAD).await;
            }
            if is_trapped && !is_dead {
                consumer.signal(Signal::SIGKILL);
                let (status, ..) = consumer.ended().await;
                assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
                until(|| async { world.count(TRAPPED).await == 0 }).await;
                n_killed += 1;
            }
        }
        assert_eq!(n_killed, ATTEMPTS_MAX, "each attempt cost a process");
        let mut consumer = world.serve("consumer", &[]);
        consumer.works().await;
        let letter = assert_dead(&world, 20, "killed").await;

        sqlx::query("SELECT pg_advisory_unlock(5)")
            .execute(&mut keeper)
            .await
            .unwrap();
        let id = letter["id"].as_str().unwrap();
        oncely(&world, &["dlq", "redrive", id, "--why", "the trap is gone"]).await;
        world.effects().await;
        world.quiet().await;
        world.execute("DELETE FROM oncely.dead_letter").await;
        world.assert_once(20).await;
    });
}
