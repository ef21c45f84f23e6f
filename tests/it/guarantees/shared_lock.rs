//! Two keys whose identities share the number of a lock.

use super::world::{identity, session, unhurried};
use crate::harness::{App, RedisChoice, run};

#[test]
fn a_key_whose_lock_number_is_taken_by_another_is_in_flight_and_then_runs() {
    run(async {
        for redis in [RedisChoice::Shared, RedisChoice::Absent] {
            let app = App::made(unhurried().redis(redis)).await;
            let caller = app.caller();
            let mut other = session(&app.database_url).await;
            let mut tx = sqlx::Connection::begin(&mut other).await.unwrap();
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(identity("k-1").lock())
                .execute(&mut *tx)
                .await
                .unwrap();
            for _ in 0..2 {
                let refused = caller.charge("k-1", 1).await;
                assert_eq!(refused.code(), "in-flight", "{refused:?}");
                assert!(!refused.header("retry-after").is_empty());
            }
            // Nobody else is in anybody's way.
            assert_eq!(caller.charge("k-2", 2).await.status, 201);
            assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
            tx.rollback().await.unwrap();

            let retry = caller.charge("k-1", 1).await;
            assert_eq!((retry.status, retry.idempotency_status()), (201, "created"));
            assert_eq!(caller.charge("k-1", 1).await.essence(), retry.essence());
            assert_eq!((app.n_charges().await, app.n_records().await), (2, 2));
        }
    });
}
