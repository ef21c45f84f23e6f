//! COMMIT waits for a synchronous standby that is gone, and an operator ends the wait.

use oncely::testkit::{Database, Postgres, PostgresOptions};

use super::world::Pending;
use crate::harness::{App, Recipe, RedisChoice, Reply, migrated, run, until};

/// A server whose every commit waits for ever, and what the test itself does without waiting.
struct Stalled {
    books: App,
    app: App,
    _database: Database,
    _postgres: Postgres,
}

impl Stalled {
    async fn start() -> Self {
        let options = PostgresOptions::with([("synchronous_standby_names", "absent")]);
        let postgres = Postgres::start(options).await.unwrap();
        let local = format!("{}?options=-c%20synchronous_commit%3Dlocal", postgres.url());
        let database = migrated(&local).await;
        let absent = || Recipe::default().redis(RedisChoice::Absent);
        let books = App::made(absent().database_at(database.url())).await;
        let (url, _local) = database.url().split_once('?').unwrap();
        let app = App::made(absent().database_at(url)).await;
        Self {
            books,
            app,
            _database: database,
            _postgres: postgres,
        }
    }

    /// Charges, and ends the wait of its COMMIT by `order`.
    async fn charge_and(&self, order: &str) -> Reply {
        let request = Pending::charge(&self.app.caller(), "k-1", 1);
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        until(|| async { self.books.count(waiting).await == 1 }).await;
        assert_eq!(self.books.n_charges().await, 0, "it is not visible yet");
        let in_flight = self.app.caller().charge("k-1", 1).await;
        assert_eq!(in_flight.code(), "in-flight", "{in_flight:?}");
        self.books
            .execute(&format!(
                "SELECT {order}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            ))
            .await;
        request.reply().await
    }

    /// The retry replays from the ledger, and there is one charge.
    async fn replays(&self) -> Reply {
        let retry = self.app.caller().charge("k-1", 1).await;
        assert_eq!(
            (retry.status, retry.idempotency_status()),
            (201, "replayed")
        );
        let books = (self.books.n_charges().await, self.books.n_records().await);
        assert_eq!(books, (1, 1));
        retry
    }
}

#[test]
fn a_wait_for_the_standby_that_is_cancelled_is_answered_201_and_its_retry_replays() {
    run(async {
        let stalled = Stalled::start().await;
        let first = stalled.charge_and("pg_cancel_backend").await;
        assert_eq!((first.status, first.idempotency_status()), (201, "created"));
        assert_eq!(stalled.replays().await.essence(), first.essence());
    });
}

#[test]
fn a_wait_for_the_standby_whose_session_is_ended_is_the_truth_or_unknown_and_its_retry_replays() {
    run(async {
        let stalled = Stalled::start().await;
        let first = stalled.charge_and("pg_terminate_backend").await;
        assert!(
            first.status == 201 || first.code() == "outcome-unknown",
            "{first:?}"
        );
        let retry = stalled.replays().await;
        if first.status == 201 {
            assert_eq!(retry.essence(), first.essence());
        }
    });
}
