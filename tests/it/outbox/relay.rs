//! What was committed reaches the broker, whatever fails in between, and nothing else does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use oncely::broker::Broker;
use oncely::failpoint::Action;
use oncely::outbox;
use oncely::shutdown::Tasks;
use sqlx::Row;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::counted::Counted;
use super::world::{World, aggregate, enqueue, topic};
use crate::harness::{run, until};

#[test]
fn what_is_enqueued_is_published_whole_and_is_pending_no_more() {
    run(async {
        let world = World::start().await;
        let first = world.enqueue("a", "one").await;
        let second = world.enqueue("a", "two").await;
        let relay = world.relay("r");
        world.drained().await;
        let messages = world.messages();
        let [one, two] = &messages[..] else {
            panic!("{} messages", messages.len());
        };
        assert_eq!((one.id, one.seq, one.previous), (first, 1, None));
        assert_eq!((two.id, two.seq, two.previous), (second, 2, Some(first)));
        assert_eq!(
            (&one.payload[..], &two.payload[..]),
            (&b"one"[..], &b"two"[..])
        );
        assert_eq!(one.aggregate, aggregate("a"));
        assert_eq!(one.headers["of"], "a");
        let created: OffsetDateTime = world
            .rows("SELECT created_at FROM oncely.outbox_event ORDER BY id LIMIT 1")
            .await[0]
            .get(0);
        assert_eq!(one.created_at, created);
        relay.stop().await;
    });
}

#[test]
fn a_lower_position_that_commits_after_a_higher_one_is_published() {
    run(async {
        let world = World::start().await;
        let mut slow = world.ledger.begin().await.unwrap();
        let late = enqueue(&mut slow, "slow", "order.changed", "late").await;
        let relay = world.relay("r");
        let mut early = Vec::new();
        for n in 0..20 {
            early.push(world.enqueue(&format!("quick-{n}"), "early").await);
        }
        world.drained().await;
        // Two full scans have gone by, so that the watermark is above it.
        tokio::time::sleep(world.config.outbox.full_scan_interval * 4).await;
        assert!(!world.published().contains(&late));
        world.ledger.commit(slow).await.unwrap();
        world.drained().await;
        let published = world.published();
        assert_eq!(published.len(), 21, "each once");
        assert!(early.iter().chain([&late]).all(|it| published.contains(it)));
        relay.stop().await;
    });
}

#[test]
fn what_was_published_but_not_settled_is_published_again() {
    run(async {
        let world = World::start().await;
        for point in ["outbox.relay.after_publish", "outbox.relay.before_settle"] {
            let before = world.published().len();
            let id = world.enqueue(point, "p").await;
            let memory = Arc::new(world.broker.clone());
            let relay = world.relay_to("r", memory, |it| it.arm(point, Action::Error));
            world.drained().await;
            assert_eq!(world.published()[before..], [id, id], "{point}");
            relay.stop().await;
        }
        world.broker.lose_replies(1);
        let id = world.enqueue("reply", "p").await;
        let relay = world.relay("r");
        world.drained().await;
        assert_eq!(world.published()[4..], [id, id]);
        relay.stop().await;
    });
}

#[test]
fn a_relay_that_panics_begins_anew() {
    run(async {
        let world = World::with(|it| it.outbox.lease = Duration::from_secs(1)).await;
        let id = world.enqueue("a", "p").await;
        let memory = Arc::new(world.broker.clone());
        let point = "outbox.relay.before_publish";
        let relay = world.relay_to("r", memory, |it| it.arm(point, Action::Panic));
        world.drained().await;
        assert_eq!(world.published(), [id]);
        relay.stop().await;
    });
}

#[test]
fn a_stop_settles_the_batch_in_flight_and_gives_the_shards_back() {
    run(async {
        let world = World::start().await;
        let id = world.enqueue("a", "p").await;
        let mut held = None;
        let memory = Arc::new(world.broker.clone());
        let relay = world.relay_to("r", memory, |it| {
            held = Some(it.hold("outbox.relay.after_publish"));
        });
        let mut held = held.unwrap();
        assert!(held.arrived().await);
        let stopping = relay.tasks.stopping();
        let mut end = tokio::task::JoinSet::new();
        end.spawn(relay.stop());
        stopping.cancelled().await;
        assert_eq!(world.n_pending().await, 1);
        held.release();
        end.join_next().await.unwrap().unwrap();
        assert_eq!(world.n_pending().await, 0);
        assert_eq!(world.published(), [id]);
        let given = "SELECT count(*) FROM oncely.outbox_shard WHERE lease_until = '-infinity'";
        assert_eq!(world.count(given).await, 16);
        let there = "SELECT count(*) FROM oncely.outbox_relay";
        assert_eq!(world.count(there).await, 0);
    });
}

#[test]
fn a_message_that_the_broker_refuses_is_a_dead_letter_after_so_many_attempts() {
    run(async {
        let world = World::with(|it| it.outbox.attempts_max = 3).await;
        world.broker.refuse(&topic("order.bad"), true);
        let mut tx = world.ledger.begin().await.unwrap();
        let bad = enqueue(&mut tx, "a", "order.bad", "poison").await;
        let good = enqueue(&mut tx, "b", "order.changed", "fine").await;
        world.ledger.commit(tx).await.unwrap();
        let relay = world.relay("r");
        until(|| async { !world.published().is_empty() }).await;
        let next = world.enqueue("b", "next").await;
        world.drained().await;
        assert_eq!(world.published(), [good, next]);
        let rows = world
            .rows(
                "SELECT consumer, id, reason, attempts, error, payload, seq, state, headers->>'of'
                 FROM oncely.dead_letter",
            )
            .await;
        let [row] = &rows[..] else {
            panic!("{} dead letters", rows.len());
        };
        assert_eq!(row.get::<String, _>(0), "relay");
        assert_eq!(row.get::<uuid::Uuid, _>(1), bad);
        assert_eq!(row.get::<String, _>(2), "unpublishable");
        assert_eq!(row.get::<i32, _>(3), 3);
        assert!(row.get::<String, _>(4).contains("refuses"));
        assert_eq!(row.get::<Vec<u8>, _>(5), b"poison");
        assert_eq!(row.get::<i64, _>(6), 1);
        assert_eq!(row.get::<String, _>(7), "dead");
        assert_eq!(row.get::<String, _>(8), "a");
        relay.stop().await;
    });
}

#[test]
fn an_outage_costs_no_event_an_attempt_and_one_probe_at_a_time_asks_for_its_end() {
    run(async {
        let pause = Duration::from_millis(200);
        let world = World::with(|it| it.broker.breaker_pause = pause).await;
        world.broker.set_down(true);
        let counted = Arc::new(Counted::new(&world.broker));
        let mut ids = Vec::new();
        for n in 0..30 {
            ids.push(world.enqueue(&format!("o-{n}"), "p").await);
        }
        let broker: Arc<dyn Broker> = Arc::<Counted>::clone(&counted);
        let relay = world.relay_to("r", broker, |_| ());
        let calls = || counted.n_calls.load(Ordering::SeqCst);
        // The breaker is open once its failures were counted; from then on only probes are sent.
        let failures = usize::try_from(world.config.broker.breaker_failures).unwrap();
        until(|| async { failures <= calls() }).await;
        let (began, before) = (Instant::now(), calls());
        counted.n_most.store(0, Ordering::SeqCst);
        until(|| async { before + 5 <= calls() }).await;
        let passed = began.elapsed();
        assert!(pause * 2 < passed, "five probes in {passed:?}");
        assert_eq!(counted.n_most.load(Ordering::SeqCst), 1);
        let touched = "SELECT count(*) FROM oncely.outbox_pending
                       WHERE 0 < attempts OR next_at IS NOT NULL OR last_error IS NOT NULL";
        assert_eq!(world.count(touched).await, 0);
        assert_eq!(world.n_pending().await, 30);
        world.broker.set_down(false);
        world.drained().await;
        let mut published = world.published();
        published.sort_unstable();
        ids.sort_unstable();
        assert_eq!(published, ids, "each once");
        assert_eq!(
            world.count("SELECT count(*) FROM oncely.dead_letter").await,
            0
        );
        relay.stop().await;
    });
}

#[test]
fn an_event_of_another_process_wakes_the_relay() {
    run(async {
        let world = World::with(|it| {
            it.outbox.poll_max = Duration::from_mins(1);
            it.outbox.poll_min = Duration::from_mins(1);
        })
        .await;
        let tasks = Tasks::default();
        outbox::announce(&world.ledger, &tasks);
        let relay = world.relay("r");
        // Its listening wakes it up once, and what is there then is no proof.
        let listens = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        until(|| async { world.count(listens).await == 1 }).await;
        until(|| async { !world.shares().await.is_empty() }).await;
        world.enqueue("a", "1").await;
        world.drained().await;
        let began = Instant::now();
        for n in 0..5 {
            world.enqueue(&format!("b-{n}"), "2").await;
            world.drained().await;
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        relay.stop().await;
        assert!(tasks.drain(Duration::from_secs(5)).await);
    });
}

#[test]
fn a_pending_row_without_its_event_stops_nobody() {
    run(async {
        let world = World::start().await;
        world.enqueue("a", "p").await;
        world.execute("DELETE FROM oncely.outbox_event").await;
        let id = world.enqueue("a", "p").await;
        let relay = world.relay("r");
        world.drained().await;
        assert_eq!(world.published(), [id]);
        relay.stop().await;
    });
}

#[test]
fn fresh_events_overtake_a_backlog_but_not_their_own_aggregate() {
    run(async {
        let world = World::with(|it| {
            it.outbox.batch = 10;
            it.outbox.rate_max = 50;
            it.broker.breaker_failures = 1;
        })
        .await;
        let mut tx = world.ledger.begin().await.unwrap();
        for n in 0..200 {
            enqueue(&mut tx, &format!("old-{n}"), "order.changed", "old").await;
        }
        let waits_for = enqueue(&mut tx, "chain", "order.changed", "first").await;
        world.ledger.commit(tx).await.unwrap();
        let relay = world.relay("r");
        until(|| async { !world.published().is_empty() }).await;
        let fresh = world.enqueue("fresh", "fresh").await;
        let chained = world.enqueue("chain", "second").await;
        world.drained().await;
        let published = world.published();
        let place = |id| published.iter().position(|it| *it == id).unwrap();
        assert_eq!(published.len(), 203, "each once");
        assert!(place(fresh) < 100, "it was number {}", place(fresh));
        assert!(place(waits_for) < place(chained));
        relay.stop().await;
    });
}

#[test]
fn a_backlog_drains_without_passing_the_cap_in_any_second() {
    run(async {
        let world = World::with(|it| {
            it.outbox.batch = 20;
            it.outbox.rate_max = 200;
        })
        .await;
        let mut tx = world.ledger.begin().await.unwrap();
        for n in 0..700 {
            enqueue(&mut tx, &format!("o-{n}"), "order.changed", "p").await;
        }
        world.ledger.commit(tx).await.unwrap();
        let counted = Arc::new(Counted::new(&world.broker));
        let broker: Arc<dyn Broker> = Arc::<Counted>::clone(&counted);
        let relay = world.relay_to("r", broker, |_| ());
        world.drained().await;
        let arrivals = counted.arrivals.lock().unwrap().clone();
        let total: usize = arrivals.iter().map(|it| it.1).sum();
        assert_eq!(total, 700);
        for (from, _) in &arrivals {
            let second = *from..*from + Duration::from_secs(1);
            let in_it = arrivals.iter().filter(|it| second.contains(&it.0));
            let n: usize = in_it.map(|it| it.1).sum();
            assert!(n <= 200, "{n} in one second");
        }
        relay.stop().await;
    });
}
