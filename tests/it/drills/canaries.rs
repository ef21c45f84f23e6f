//! Card numbers, keys and tokens that a caller puts where they do not belong are found nowhere afterwards: not in the
//! log, the metrics, Redis or Postgres' own log.

use std::fmt::Write as _;

use http::Method;
use redis::Value;
use redis::aio::MultiplexedConnection;

use super::world::{World, run};
use crate::harness::{Caller, redis_at, until};

/// A number that every card form accepts.
const CARD: &str = "4242424242424242";
/// A key as careless callers make them.
const KEY: &str = "card-4242424242424242-exp-1230";
/// Half of it, so that a text that was cut in the middle is found too.
const CANARY: &str = "42424242";

#[test]
fn card_numbers_and_keys_are_in_no_log_no_metric_and_no_redis() {
    crate::harness::run(async {
        let loud = [
            // A statement that waits is given up before its operation is.
            ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "300ms"),
            ("ONCELY_LOG__FILTER", "info,oncely=debug"),
            ("ONCELY_LOG__FORMAT", "json"),
        ];
        let world = World::start(&[("all", "oncely serve", &loud)]).await;
        let caller = world.caller("all");
        misuse(&world, &caller).await;
        let receipts = "SELECT count(*) FROM public.receipts";
        until(|| async { 2 <= world.count(receipts).await }).await;

        let log = world.log("all");
        assert!(log.contains("422: the key was used"), "{log}");
        let metrics = world.admin("all").get("/metrics").await;
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        let mut redis = contents(world.hot.url()).await;
        redis.push_str(&contents(world.broker.url()).await);
        assert!(
            redis.contains("charge.succeeded") && redis.contains("r:{"),
            "{redis}"
        );
        let postgres = postgres_log(&world).await;
        assert!(postgres.contains("statement timeout"), "{postgres}");
        for (place, text) in [
            ("log", log),
            ("metrics", metrics),
            ("redis", redis),
            ("postgres", postgres),
        ] {
            let found = text.lines().find(|it| it.contains(CANARY));
            assert!(found.is_none(), "{place}: {found:?}");
        }
    });
}

/// Puts the card's number wherever a caller can.
async fn misuse(world: &World, caller: &Caller) {
    let body =
        format!(r#"{{"amount": 4200, "currency": "USD", "source": "tok_visa", "card": "{CARD}"}}"#);
    let strange = [
        ("idempotency-key", "k-1"),
        ("x-request-id", CARD),
        ("traceparent", CARD),
        ("tracestate", CARD),
    ];
    let made = caller.send(Method::POST, "/charge", &strange, &body).await;
    assert_eq!((made.status, made.header("x-request-id")), (201, ""));
    for expected in ["created", "replayed"] {
        let reply = caller.post("/charge", KEY, &body).await;
        assert_eq!(reply.idempotency_status(), expected);
    }
    let other = body.replace("4200", "4300");
    assert_eq!(caller.post("/charge", KEY, &other).await.status, 422);
    let broken = format!(r#"{{"amount": "{CARD}", "card": {CARD}"#);
    assert_eq!(caller.post("/charge", KEY, &broken).await.status, 400);
    let unknown = Caller::new(&world.api("all"), CARD);
    assert_eq!(unknown.post("/charge", KEY, &body).await.status, 401);
    assert_eq!(caller.get(&format!("/charge/{CARD}")).await.status, 404);
    // Postgres writes down what it was asked when it gives up.
    let mut console = world.session().await;
    run(
        &mut console,
        "BEGIN; LOCK TABLE public.charges IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let key = format!("{KEY}-late");
    assert_eq!(caller.post("/charge", &key, &body).await.status, 503);
    run(&mut console, "ROLLBACK").await;
}

/// Every value of a Redis, by its own reading.
async fn contents(url: &str) -> String {
    let mut redis = redis_at(url).await;
    let keys: Vec<String> = ask(&mut redis, &["KEYS", "*"]).await;
    let mut text = String::new();
    for key in keys {
        let kind: String = ask(&mut redis, &["TYPE", &key]).await;
        let value: Value = match kind.as_str() {
            "string" => ask(&mut redis, &["GET", &key]).await,
            "stream" => ask(&mut redis, &["XRANGE", &key, "-", "+"]).await,
            other => panic!("what is a {other}: {key}"),
        };
        writeln!(text, "{key}").unwrap();
        write(&value, &mut text);
    }
    text
}

async fn ask<T: redis::FromRedisValue>(redis: &mut MultiplexedConnection, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(redis).await.unwrap()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not text or a list of it is written as it is"
)]
fn write(value: &Value, text: &mut String) {
    match value {
        Value::BulkString(bytes) => {
            text.push_str(&String::from_utf8_lossy(bytes));
            text.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|it| write(it, text)),
        // Numbers and the like.
        _ => writeln!(text, "{value:?}").unwrap(),
    }
}

/// What the server has written beside its data.
async fn postgres_log(world: &World) -> String {
    let mut session = world.session().await;
    let log = "SELECT pg_read_file(regexp_replace(current_setting('data_directory'), '/[^/]*$', '') || '/server.log')";
    sqlx::query_scalar(log)
        .fetch_one(&mut session)
        .await
        .unwrap()
}
