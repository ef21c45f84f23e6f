//! An event is written with its operation or not at all, and counted without a gap.

use oncely::domain::{Aggregate, Tenant, Topic, time_of_id};
use oncely::ledger::{Ledger, Tx};
use oncely::outbox::{self, EnqueueError, Event, LockedAggregate, PAYLOAD_BYTES_MAX};
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use crate::harness::{App, charge_body, run};

fn aggregate(id: &str) -> Aggregate {
    Aggregate::new(Tenant::new("demo").unwrap(), "order", id).unwrap()
}

fn event(payload: &'static [u8]) -> Event {
    Event::new(Topic::new("order.changed").unwrap(), payload)
}

async fn begin(ledger: &Ledger) -> Tx {
    ledger.begin().await.unwrap()
}

/// What the outbox has of one aggregate: seq, previous, id, in the order of positions.
async fn events(app: &App, id: &str) -> Vec<(i64, Option<Uuid>, Uuid)> {
    let mut books = PgConnection::connect(&app.database_url).await.unwrap();
    let rows = sqlx::query_as(
        "SELECT e.seq, e.previous, e.id FROM oncely.outbox_event e
         JOIN oncely.outbox_pending p ON p.id = e.id AND p.position = e.position
         WHERE e.aggregate = $1 ORDER BY e.position",
    );
    rows.bind(id).fetch_all(&mut books).await.unwrap()
}

#[test]
fn a_charge_and_its_event_are_one_commit_and_a_replay_tells_nothing() {
    run(async {
        let app = App::start().await;
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = [("idempotency-key", "k"), ("traceparent", trace)];
        let body = r#"{"amount": 7, "currency": "EUR", "source": "tok_visa", "sku": "sku-1", "quantity": 2}"#;
        for status in ["created", "replayed"] {
            let reply = app
                .caller()
                .send(http::Method::POST, "/charge", &headers, body)
                .await;
            assert_eq!(reply.idempotency_status(), status);
        }
        let declined = charge_body(8).replace("tok_visa", "tok_declined");
        assert_eq!(
            app.caller().post("/charge", "d", &declined).await.status,
            402
        );

        let mut books = PgConnection::connect(&app.database_url).await.unwrap();
        let rows = sqlx::query(
            "SELECT clock_timestamp() AS now, e.id, e.topic, e.kind, e.aggregate, e.seq, e.headers::text AS headers, e.payload,
                c.id AS charge
             FROM oncely.outbox_event e, public.charges c",
        );
        let rows = rows.fetch_all(&mut books).await.unwrap();
        let [row] = &rows[..] else {
            panic!("{} rows", rows.len());
        };
        let charge: String = row.get("charge");
        let payload: Vec<u8> = row.get("payload");
        let told = format!(
            r#"{{"charge_id":"{charge}","amount":7,"currency":"EUR","sku":"sku-1","quantity":2}}"#
        );
        assert_eq!(String::from_utf8(payload).unwrap(), told);
        assert_eq!(row.get::<String, _>("topic"), "charge.succeeded");
        assert_eq!(row.get::<String, _>("kind"), "charge");
        assert_eq!(row.get::<String, _>("aggregate"), charge);
        assert_eq!(row.get::<i64, _>("seq"), 1);
        let headers: serde_json::Value =
            serde_json::from_str(&row.get::<String, _>("headers")).unwrap();
        assert_eq!(headers["traceparent"], trace);
        assert_eq!(headers["content-type"], "application/json");
        let id: Uuid = row.get("id");
        assert_eq!(id.get_version_num(), 7);
        let age = row.get::<time::OffsetDateTime, _>("now") - time_of_id(id);
        assert!(age < time::Duration::minutes(5), "{age}");
        assert_eq!(
            app.count("SELECT count(*) FROM oncely.outbox_pending")
                .await,
            1
        );
    });
}

#[test]
fn events_of_an_aggregate_are_counted_without_a_gap_also_over_a_rollback() {
    run(async {
        let app = App::start().await;
        let ledger = app.store.ledger();
        let mut tx = begin(ledger).await;
        let mut new = LockedAggregate::created(aggregate("a"));
        let first = outbox::enqueue(&mut tx, &mut new, event(b"1"))
            .await
            .unwrap();
        let second = outbox::enqueue(&mut tx, &mut new, event(b"2"))
            .await
            .unwrap();
        ledger.commit(tx).await.unwrap();

        let mut tx = begin(ledger).await;
        let mut locked = LockedAggregate::lock(&mut tx, aggregate("a"))
            .await
            .unwrap();
        outbox::enqueue(&mut tx, &mut locked, event(b"lost"))
            .await
            .unwrap();
        ledger.rollback(tx).await.unwrap();

        let mut tx = begin(ledger).await;
        let mut locked = LockedAggregate::lock(&mut tx, aggregate("a"))
            .await
            .unwrap();
        let third = outbox::enqueue(&mut tx, &mut locked, event(b"3"))
            .await
            .unwrap();
        ledger.commit(tx).await.unwrap();

        let expected = [
            (1, None, first),
            (2, Some(first), second),
            (3, Some(second), third),
        ];
        assert_eq!(events(&app, "a").await, expected);
        assert_eq!(
            app.count("SELECT seq FROM oncely.outbox_aggregate").await,
            3
        );
    });
}

#[test]
fn the_order_of_an_aggregates_events_is_the_order_of_commits() {
    run(async {
        let app = App::start().await;
        let ledger = app.store.ledger().clone();
        let mut tx = begin(&ledger).await;
        let mut locked = LockedAggregate::lock(&mut tx, aggregate("a"))
            .await
            .unwrap();
        let other = ledger.clone();
        let mut waiting = tokio::task::JoinSet::new();
        waiting.spawn(async move {
            let mut tx = begin(&other).await;
            let mut locked = LockedAggregate::lock(&mut tx, aggregate("a"))
                .await
                .unwrap();
            let id = outbox::enqueue(&mut tx, &mut locked, event(b"2"))
                .await
                .unwrap();
            other.commit(tx).await.unwrap();
            id
        });
        let waits = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        crate::harness::until(|| async { 0 < app.count(waits).await }).await;
        let first = outbox::enqueue(&mut tx, &mut locked, event(b"1"))
            .await
            .unwrap();
        ledger.commit(tx).await.unwrap();
        let second = waiting.join_next().await.unwrap().unwrap();
        let expected = [(1, None, first), (2, Some(first), second)];
        assert_eq!(events(&app, "a").await, expected);
    });
}

#[test]
fn an_aggregate_that_was_not_locked_here_is_refused_and_nothing_is_told() {
    run(async {
        let app = App::start().await;
        let ledger = app.store.ledger();
        let mut tx = begin(ledger).await;
        let mut new = LockedAggregate::created(aggregate("a"));
        outbox::enqueue(&mut tx, &mut new, event(b"1"))
            .await
            .unwrap();
        ledger.commit(tx).await.unwrap();

        let mut tx = begin(ledger).await;
        let mut again = LockedAggregate::created(aggregate("a"));
        let refused = outbox::enqueue(&mut tx, &mut again, event(b"2")).await;
        assert!(
            matches!(refused, Err(EnqueueError::NotLocked)),
            "{refused:?}"
        );
        let large = Event::new(Topic::new("t").unwrap(), vec![0; PAYLOAD_BYTES_MAX + 1]);
        let refused = outbox::enqueue(&mut tx, &mut new, large).await;
        assert!(
            matches!(refused, Err(EnqueueError::PayloadTooLarge(_))),
            "{refused:?}"
        );
        ledger.commit(tx).await.unwrap();
        assert_eq!(
            app.count("SELECT count(*) FROM oncely.outbox_event").await,
            1
        );
    });
}

#[test]
fn an_aggregate_has_one_topic_so_that_nobody_waits_for_what_never_comes() {
    run(async {
        let app = App::start().await;
        let ledger = app.store.ledger();
        let elsewhere = || Event::new(Topic::new("order.paid").unwrap(), "2");
        let mut tx = begin(ledger).await;
        let mut new = LockedAggregate::created(aggregate("a"));
        outbox::enqueue(&mut tx, &mut new, event(b"1"))
            .await
            .unwrap();
        let refused = outbox::enqueue(&mut tx, &mut new, elsewhere()).await;
        assert!(matches!(refused, Err(EnqueueError::OtherTopic(it)) if it == "order.changed"));
        ledger.commit(tx).await.unwrap();

        let mut tx = begin(ledger).await;
        let mut locked = LockedAggregate::lock(&mut tx, aggregate("a"))
            .await
            .unwrap();
        let refused = outbox::enqueue(&mut tx, &mut locked, elsewhere()).await;
        assert!(
            matches!(refused, Err(EnqueueError::OtherTopic(_))),
            "{refused:?}"
        );
        outbox::enqueue(&mut tx, &mut locked, event(b"2"))
            .await
            .unwrap();
        ledger.commit(tx).await.unwrap();
        assert_eq!(events(&app, "a").await.len(), 2);
    });
}

#[test]
fn whoever_waits_for_events_is_told_of_commits_and_of_nothing_else() {
    run(async {
        let app = App::start().await;
        let ledger = app.store.ledger();
        let mut enqueued = ledger.enqueued();
        let mut tx = begin(ledger).await;
        let mut new = LockedAggregate::created(aggregate("a"));
        outbox::enqueue(&mut tx, &mut new, event(b"1"))
            .await
            .unwrap();
        ledger.rollback(tx).await.unwrap();
        ledger.commit(begin(ledger).await).await.unwrap();
        assert!(!enqueued.has_changed().unwrap());
        app.caller().charge("k", 7).await;
        enqueued.changed().await.unwrap();
    });
}
