//! What the tables hold after a cell, as lines of its history; and what must not be left behind.

use std::time::Duration;

use oncely::history::{self, Event, Expect, Log};
use sqlx::Row as _;
use tokio::time::{Instant, sleep};

use super::client::{amount, asks, hex, id_of, key};
use super::world::{SOURCE, World};
use crate::harness::n_undelivered;

/// The longest that a key may be told "in flight" with nobody at work: a lease or a latch that nobody
/// renews, and what a busy machine adds.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(20);

/// How long messages may take to come to rest.
const PATIENCE: Duration = Duration::from_mins(2);

/// How many operations a cell has: the one that is hit, and one after it.
pub(super) const N_OPERATIONS: i64 = 2;

const CONSUMERS: [&str; 3] = ["journal", "receipts", "inventory"];

/// A charge's journal has two lines, so each pair is one application.
const APPLIED: &str = "
SELECT 'journal', charge_id, (count(*) + 1) / 2 FROM public.journal_entries GROUP BY charge_id
UNION ALL SELECT 'receipts', charge_id, count(*) FROM public.receipts GROUP BY charge_id
UNION ALL SELECT 'inventory', charge_id, count(*) FROM public.reservations GROUP BY charge_id";

/// Locks that nobody gives back, transactions that nobody ends, records that nobody finishes.
const HELD: &str = "
SELECT (SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory')
    + (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND state LIKE 'idle in transaction%' AND xact_start < now() - interval '2 seconds')
    + (SELECT count(*) FROM oncely.records WHERE state <> 'completed')";

const UNSETTLED: &str = "
SELECT (SELECT count(*) FROM oncely.outbox_pending) + (SELECT count(*) FROM oncely.inbox_waiting)
    + (SELECT count(*) FROM oncely.dead_letter WHERE state = 'dead')
    + abs((SELECT count(*) FROM oncely.inbox WHERE state = 'done')
        - 3 * (SELECT count(*) FROM oncely.outbox_event))";

/// How many effects are committed.
pub(super) async fn n_effects(world: &World) -> i64 {
    let table = if world.story.is_payment() {
        "payments"
    } else {
        "charges"
    };
    world
        .count(&format!("SELECT count(*) FROM public.{table}"))
        .await
}

/// Waits until every message is applied and acknowledged, and nothing is held by anybody.
pub(super) async fn come_to_rest(world: &World) -> Result<(), String> {
    let began = Instant::now();
    let mut left = String::new();
    while began.elapsed() < PATIENCE {
        let held = world.count(HELD).await;
        let mut unsettled = (0, 0);
        if world.story.has_messages() {
            let stream = format!("{}s:charge.succeeded", world.prefix);
            let undelivered = n_undelivered(&world.redis_url, &stream).await;
            unsettled = (
                world.count(UNSETTLED).await,
                undelivered.unwrap_or(i64::MAX),
            );
        }
        if held == 0 && unsettled == (0, 0) {
            return Ok(());
        }
        left = format!(
            "{held} held, {} unsettled, {} undelivered",
            unsettled.0, unsettled.1
        );
        sleep(Duration::from_millis(50)).await;
    }
    Err(format!("after {PATIENCE:?} there are still {left}"))
}

/// Writes down what the tables hold.
async fn read(world: &World, log: &Log) {
    let (table, operation) = if world.story.is_payment() {
        ("payments", "POST /payments")
    } else {
        ("charges", "POST /charge")
    };
    let key_of = |of: i64| {
        let mut all = 1..=N_OPERATIONS;
        all.find(|n| amount(*n) == of)
            .map_or_else(|| format!("nobody's {of}"), key)
    };
    for row in world
        .rows(&format!("SELECT id, amount FROM public.{table}"))
        .await
    {
        let of: i64 = row.get(1);
        log.push(Event::Effect {
            key: key_of(of),
            id: row.get(0),
            asks: Some(asks(of)),
        });
    }
    let records = "SELECT encode(id, 'hex'), response_status, response_body FROM oncely.records";
    for row in world.rows(records).await {
        let id: String = row.get(0);
        let mut all = 1..=N_OPERATIONS;
        let n = all.find(|n| hex(id_of(operation, &key(*n))) == id);
        log.push(Event::Record {
            key: n.map_or(id, key),
            status: row.get::<i16, _>(1).unsigned_abs(),
            body: history::digest(row.get(2)),
        });
    }
    for row in world
        .rows("SELECT aggregate FROM oncely.outbox_event")
        .await
    {
        log.push(Event::Published { effect: row.get(0) });
    }
    for row in world.rows(APPLIED).await {
        for _ in 0..row.get::<i64, _>(2) {
            log.push(Event::Applied {
                consumer: row.get(0),
                effect: row.get(1),
            });
        }
    }
}

/// Holds all that was seen against the promise.
pub(super) async fn check(world: &World, log: &Log) -> Result<(), String> {
    read(world, log).await;
    let consumers = CONSUMERS.map(str::to_owned).to_vec();
    let expect = Expect {
        effects: true,
        records: true,
        events: true,
        consumers: if world.story.has_messages() {
            consumers
        } else {
            Vec::new()
        },
        in_flight_max: IN_FLIGHT_MAX,
    };
    let events = log.events();
    let report = history::check(&events, &expect);
    if !report.is_clean() {
        let lines: Vec<String> = events.iter().map(Event::to_line).collect();
        return Err(format!("{report}{}", lines.join("\n")));
    }
    if report.n_answered != 2 || report.n_effects != 2 {
        return Err(format!("not two operations: {report}"));
    }
    let n_charged = world.processor.charges_of(SOURCE).len();
    if world.story.is_payment() && n_charged != 2 {
        return Err(format!(
            "the processor has {n_charged} charges for two payments"
        ));
    }
    Ok(())
}
