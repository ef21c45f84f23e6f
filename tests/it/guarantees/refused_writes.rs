//! Postgres refuses to keep what it was given: at COMMIT, or for want of room.

use oncely::config::Claim;

use super::world::unhurried;
use crate::harness::{App, run};

#[test]
fn a_deferred_constraint_that_fails_at_commit_is_a_definite_answer_and_keeps_nothing() {
    run(async {
        for claim in [Claim::Advisory, Claim::InsertWait] {
            let app = App::made(unhurried().claim(claim)).await;
            let caller = app.caller();
            app.execute(
                "ALTER TABLE public.charges ADD CONSTRAINT one_of_each UNIQUE (amount) \
                 DEFERRABLE INITIALLY DEFERRED",
            )
            .await;
            assert_eq!(caller.charge("k-1", 1).await.status, 201);
            // Each time the same, and at once: nothing of it is cached or left behind.
            for _ in 0..3 {
                let refused = caller.charge("k-2", 1).await;
                let answer = (refused.status, refused.code());
                assert_eq!(answer, (503, "store-unavailable".to_owned()), "{claim:?}");
                assert!(refused.json()["retry_same_key"].as_bool().unwrap());
                assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
                assert_eq!(app.n_open_transactions().await, 0);
            }
            app.execute("ALTER TABLE public.charges DROP CONSTRAINT one_of_each")
                .await;
            let retry = caller.charge("k-2", 1).await;
            assert_eq!((retry.status, retry.idempotency_status()), (201, "created"));
            assert_eq!((app.n_charges().await, app.n_records().await), (2, 2));
        }
    });
}

/// The server's words are real, the full disk is not: a real one needs a mount, and so a right
/// that tests do not have everywhere.
#[test]
fn a_server_that_says_that_its_disk_is_full_is_unavailable_keeps_nothing_and_heals() {
    run(async {
        for table in ["oncely.records", "public.charges"] {
            for claim in [Claim::Advisory, Claim::InsertWait] {
                let app = App::made(unhurried().claim(claim)).await;
                let caller = app.caller();
                app.execute(&format!(
                    "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     RAISE EXCEPTION USING ERRCODE = 'disk_full', \
                     MESSAGE = 'could not extend file: No space left on device'; END $$; \
                     CREATE TRIGGER full_disk BEFORE INSERT ON {table} \
                     FOR EACH ROW EXECUTE FUNCTION public.refuse()"
                ))
                .await;
                for _ in 0..2 {
                    let refused = caller.charge("k-1", 1).await;
                    let answer = (refused.status, refused.code());
                    let expected = (503, "store-unavailable".to_owned());
                    assert_eq!(answer, expected, "{table}, {claim:?}");
                    assert!(app.is_untouched().await, "{table}, {claim:?}");
                }
                app.execute(&format!("DROP TRIGGER full_disk ON {table}"))
                    .await;
                let retry = caller.charge("k-1", 1).await;
                assert_eq!(
                    (retry.status, retry.idempotency_status()),
                    (201, "created"),
                    "{table}, {claim:?}"
                );
                assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
            }
        }
    });
}
