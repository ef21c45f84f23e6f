//! A process that is stopped past its lease and wakes up: SIGSTOP, as a paused machine.

use std::time::Duration;

use nix::sys::signal::Signal;
use oncely::shutdown::Tasks;
use oncely::testkit::{Pair, Postgres, PostgresOptions, Processor, Quirk, key_prefix};
use sqlx::{Connection, PgConnection};

use super::world::{pay, row_at};
use crate::harness::{Process, migrated, run};

/// Longer than the lease: the answer that the zombie waits for is there when it wakes up.
const LATE: Duration = Duration::from_millis(300);

async fn stopped_during_its_call(redis_url: &str) {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let database = migrated(postgres.url()).await;
    let processor = Processor::start(true).await.unwrap();
    let prefix = key_prefix();
    let serve = || {
        let variables = [
            ("ONCELY_HOT__KEY_PREFIX", prefix.as_str()),
            ("ONCELY_PROCESSOR__URL", processor.url()),
            ("ONCELY_PROCESSOR__TIMEOUT", "2s"),
            ("ONCELY_LEDGER__LEASE", "4500ms"),
            ("ONCELY_LEDGER__LEASE_RENEW_INTERVAL", "1s"),
            ("ONCELY_LEDGER__OPERATION_TIMEOUT", "4s"),
            ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "2s"),
            ("ONCELY_LEDGER__RESCUE_INTERVAL", "1h"),
        ];
        Process::serve(database.url(), redis_url, &variables)
    };
    let (mut zombie, mut successor) = (serve(), serve());
    let (early, late) = (zombie.caller().await, successor.caller().await);
    processor.script("tok_slow", [Quirk::AnswerLate(LATE)]);
    let paying = async move { pay(&early, "k-1", "tok_slow").await };
    let first = Tasks::default().spawn(paying);
    processor.has_seen("tok_slow", 1).await;
    zombie.signal(Signal::SIGSTOP);

    // The 409s end with its lease, and its successor sends the same key.
    let mut reply = pay(&late, "k-1", "tok_slow").await;
    assert_eq!(reply.code(), "in-flight", "{reply:?}");
    while reply.code() == "in-flight" {
        tokio::time::sleep(Duration::from_millis(50)).await;
        reply = pay(&late, "k-1", "tok_slow").await;
    }
    assert_eq!((reply.status, reply.idempotency_status()), (201, "created"));
    let completed = row_at(database.url(), "k-1").await.unwrap();
    assert_eq!(completed.attempt, 2);

    zombie.signal(Signal::SIGCONT);
    let woken = first.await.unwrap();
    assert_eq!(woken.idempotency_status(), "replayed", "{woken:?}");
    assert_eq!(woken.essence(), reply.essence());
    assert_eq!(row_at(database.url(), "k-1").await.unwrap(), completed);
    assert_eq!(processor.charges_of("tok_slow").len(), 1);
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let counts: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM public.payments), (SELECT count(*) FROM oncely.outbox_event)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(counts, (1, 1));
    for process in [zombie, successor] {
        process.signal(Signal::SIGTERM);
        assert!(process.ended().await.0.success());
    }
}

#[test]
fn a_process_that_wakes_up_after_its_lease_writes_nothing_and_repeats_its_successors_answer() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        stopped_during_its_call(pair.redis.url()).await;
    });
}

#[test]
fn a_process_that_wakes_up_after_its_lease_writes_nothing_without_redis() {
    run(async { stopped_during_its_call("redis://127.0.0.1:1/0").await });
}
