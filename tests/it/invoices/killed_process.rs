//! The process killed by SIGKILL at each phase of an invoice, and its successor: one invoice.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use http::Method;
use nix::sys::signal::Signal;
use oncely::testkit::{Pair, Postgres, PostgresOptions, TaxService, key_prefix};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};

use super::world::{body, invoice};
use crate::harness::{Caller, Process, Reply, migrated, run};

/// The steps of an invoice in their order, and how often its tax is asked for when the process died
/// there.
const POINTS: [(&str, usize); 6] = [
    ("after_claim", 1),
    ("after_phase", 1),
    ("before_call", 1),
    // The answer was not stored yet.
    ("after_call", 2),
    ("before_complete", 1),
    ("after_complete", 1),
];

const LEASE: Duration = Duration::from_millis(2500);

/// What a busy machine may add to the end of a lease.
const MARGIN: Duration = Duration::from_secs(3);

/// A Redis that nobody answers for: the service goes on without one.
const NO_REDIS: &str = "redis://127.0.0.1:1/0";

/// Retries until the 409s of the dead one's lease are over, which they are in time.
async fn retry(caller: &Caller, key: &str, died_at: Instant) -> Reply {
    loop {
        let reply = invoice(caller, key, 1000).await;
        if reply.code() != "in-flight" {
            return reply;
        }
        assert!(died_at.elapsed() < LEASE + MARGIN, "the 409s go on");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn counts(database_url: &str) -> (i64, i64, i64) {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    let counts = sqlx::query_as(
        "SELECT (SELECT count(*) FROM public.invoices), (SELECT count(*) FROM public.invoice_lines), \
         (SELECT count(*) FROM oncely.outbox_event WHERE topic = 'invoice.created')",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    counts
}

async fn at_every_phase(redis_url: &str) {
    // A durable one of its own: `serve` takes no other.
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let database = migrated(postgres.url()).await;
    let service = TaxService::start().await.unwrap();
    let prefix = key_prefix();
    let serve = |fail_points: &str| {
        let variables = [
            ("ONCELY_FAILPOINTS", fail_points),
            ("ONCELY_HOT__KEY_PREFIX", &prefix),
            ("ONCELY_TAX__URL", service.url()),
            ("ONCELY_TAX__TIMEOUT", "400ms"),
            ("ONCELY_LEDGER__LEASE", "2500ms"),
            ("ONCELY_LEDGER__LEASE_RENEW_INTERVAL", "500ms"),
            ("ONCELY_LEDGER__OPERATION_TIMEOUT", "2400ms"),
            ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "2s"),
            // Not the rescuer, but the client's retry is to be seen.
            ("ONCELY_LEDGER__RESCUE_INTERVAL", "1h"),
            ("ONCELY_LEDGER__EPOCH_MAX_AGE", "3s"),
        ];
        Process::serve(database.url(), redis_url, &variables)
    };
    for (n, (point, n_asked)) in (1_i64..).zip(POINTS) {
        let (key, before) = (format!("k-{n}"), service.asked().len());
        let mut first = serve(&format!("store.leased.{point}=abort"));
        let caller = first.caller().await;
        let headers = [("idempotency-key", key.as_str())];
        let payload = body(1000);
        let asking = caller.try_send(Method::POST, "/invoices", &headers, &payload);
        assert!(asking.await.is_err(), "{point}: it died");
        let died_at = Instant::now();
        let (status, ..) = first.ended().await;
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{point}");

        let mut second = serve("");
        let caller = second.caller().await;
        let done = retry(&caller, &key, died_at).await;
        assert_eq!(done.status, 201, "{point}: {done:?}");
        let status = if point == "after_complete" {
            "replayed"
        } else {
            "created"
        };
        assert_eq!(done.idempotency_status(), status, "{point}");
        let again = invoice(&caller, &key, 1000).await;
        assert_eq!(again.idempotency_status(), "replayed", "{point}");
        assert_eq!(again.essence(), done.essence(), "{point}");
        let id = done.json()["id"].clone();
        let asked = service.asked().split_off(before);
        assert!(
            asked.iter().all(|it| id == *it.reference),
            "{point}: one id"
        );
        assert_eq!(asked.len(), n_asked, "{point}");
        assert_eq!(counts(database.url()).await, (n, 2 * n, n), "{point}");
        second.signal(Signal::SIGTERM);
        assert!(second.ended().await.0.success());
    }
}

#[test]
fn killed_at_any_phase_one_invoice_is_made_and_told_of_once() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        at_every_phase(pair.redis.url()).await;
    });
}

#[test]
fn killed_at_any_phase_one_invoice_is_made_and_told_of_once_without_redis() {
    run(async { at_every_phase(NO_REDIS).await });
}
