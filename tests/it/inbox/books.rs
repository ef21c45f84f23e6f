//! What follows from a charge: stock, journal and receipt, each once.

use std::sync::Arc;
use std::time::Duration;

use oncely::broker::{Broker, Memory, RedisStreams};
use oncely::config::{Config, Secret};
use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::failpoint::FailPoints;
use oncely::inbox::Runner;
use oncely::payments::{CHARGE_SUCCEEDED, consumers};
use oncely::shutdown::Tasks;
use oncely::testkit::{Pair, key_prefix};
use sqlx::{Connection, PgConnection, Row};

use crate::harness::{App, run, until};

/// What the outbox has, as the relay would publish it.
async fn messages(app: &App) -> Vec<Message> {
    let mut books = PgConnection::connect(&app.database_url).await.unwrap();
    let rows = sqlx::query(
        "SELECT id, topic, tenant, kind, aggregate, seq, previous, headers::text AS headers,
            payload, created_at FROM oncely.outbox_event ORDER BY id",
    );
    let rows = rows.fetch_all(&mut books).await.unwrap();
    let message = |row: &sqlx::postgres::PgRow| Message {
        id: row.get("id"),
        topic: Topic::new(row.get::<String, _>("topic")).unwrap(),
        aggregate: Aggregate::new(
            Tenant::new(row.get::<String, _>("tenant")).unwrap(),
            row.get::<String, _>("kind"),
            row.get::<String, _>("aggregate"),
        )
        .unwrap(),
        seq: row.get("seq"),
        previous: row.get("previous"),
        headers: serde_json::from_str(row.get("headers")).unwrap(),
        payload: row.get::<Vec<u8>, _>("payload").into(),
        created_at: row.get("created_at"),
    };
    rows.iter().map(message).collect()
}

async fn rows(app: &App, statement: &'static str) -> Vec<String> {
    let mut books = PgConnection::connect(&app.database_url).await.unwrap();
    sqlx::query_scalar(statement)
        .fetch_all(&mut books)
        .await
        .unwrap()
}

/// Has all consumers get each message three times, and ends them.
async fn consume(app: &App, sent: &[Message], broker: Arc<dyn Broker>) {
    let tasks = Tasks::default();
    for consumer in consumers() {
        let runner = Runner::new(
            app.store.ledger().apart(4),
            Arc::clone(&broker),
            consumer,
            Config::default().inbox,
            FailPoints::default(),
            "here".to_owned(),
        );
        runner.start(&tasks);
    }
    for _ in 0..3 {
        broker.publish(sent).await.unwrap();
    }
    let done = "SELECT count(*) FROM oncely.inbox WHERE state = 'done'";
    until(|| async { app.count(done).await == 12 }).await;
    assert!(
        tasks.drain(Duration::from_secs(20)).await,
        "it ends in time"
    );
}

#[test]
fn a_charge_has_its_stock_its_journal_and_its_receipt_once_each() {
    run(async {
        charges_are_booked_once(Arc::new(Memory::new(Duration::from_mins(1)))).await;
    });
}

#[test]
fn a_charge_is_booked_once_also_over_redis_streams() {
    run(async {
        let pair = Pair::shared().await.unwrap();
        let mut settings = Config::default().broker;
        settings.key_prefix = key_prefix();
        let url = Secret::new(pair.redis.url());
        let idle = Duration::from_mins(1);
        let broker = RedisStreams::connect(&url, &settings, idle).unwrap();
        charges_are_booked_once(Arc::new(broker)).await;
    });
}

async fn charges_are_booked_once(broker: Arc<dyn Broker>) {
    let app = App::start().await;
    app.execute(
        "INSERT INTO public.inventory (tenant, sku, available) VALUES ('demo', 'sku-1', 3)",
    )
    .await;
    for (key, sku) in [("a", "sku-1"), ("b", "sku-1"), ("c", "sku-2")] {
        let body = format!(
            r#"{{"amount": 4200, "currency": "USD", "source": "tok_visa", "sku": "{sku}", "quantity": 2}}"#
        );
        assert_eq!(app.caller().post("/charge", key, &body).await.status, 201);
    }
    let yen = r#"{"amount": 4200, "currency": "JPY", "source": "tok_visa"}"#;
    assert_eq!(app.caller().post("/charge", "d", yen).await.status, 201);

    let sent = messages(&app).await;
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|it| it.topic.as_str() == CHARGE_SUCCEEDED));
    consume(&app, &sent, broker).await;

    assert_eq!(
        rows(
            &app,
            "SELECT available || ' ' || reserved FROM public.inventory"
        )
        .await,
        ["1 2"]
    );
    let reservations = "SELECT concat_ws(' ', r.tenant, r.sku, r.quantity, r.status)
            FROM public.reservations r JOIN public.charges c ON c.id = r.charge_id
            WHERE r.id ~ '^rs_[0-9a-f]{32}$' ORDER BY c.created_at, c.id";
    assert_eq!(
        rows(&app, reservations).await,
        [
            "demo sku-1 2 reserved",
            "demo sku-1 2 backordered",
            "demo sku-2 2 backordered"
        ]
    );
    let journal = "SELECT concat_ws(' ', account, direction, j.amount, j.currency)
            FROM public.journal_entries j JOIN public.charges c ON c.id = j.charge_id
            ORDER BY c.created_at, c.id, account";
    let dollars = ["card_receivable debit 4200 USD", "sales credit 4200 USD"];
    let yen = ["card_receivable debit 4200 JPY", "sales credit 4200 JPY"];
    assert_eq!(
        rows(&app, journal).await,
        [dollars, dollars, dollars, yen].concat()
    );
    let receipts = "SELECT replace(subject, c.id, 'ch') || ': ' || body
            FROM public.receipts r JOIN public.charges c ON c.id = r.charge_id
            ORDER BY c.created_at, c.id";
    let dollars = "Receipt for ch: We have charged 42.00 USD. Thank you.";
    let yen = "Receipt for ch: We have charged 4200 JPY. Thank you.";
    assert_eq!(rows(&app, receipts).await, [dollars, dollars, dollars, yen]);
}
