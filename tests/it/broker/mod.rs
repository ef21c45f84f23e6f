//! The brokers: one suite that each has to pass, and the faults of each.

mod conformance;
mod redis_streams;
mod stage;

use std::time::Duration;

use oncely::broker::{Broker, Delivery, Receipt, Subscription};
use oncely::domain::{Aggregate, Message, Tenant, Topic};
use time::OffsetDateTime;
use uuid::Uuid;

/// How long a message is left with a member before others get it, where a test waits for that.
const SOON: Duration = Duration::from_millis(150);

/// The same, where none shall come again while the test runs.
const NEVER: Duration = Duration::from_hours(1);

/// How long a member waits in one call.
const PATIENCE: Duration = Duration::from_millis(100);

fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

/// A message with this payload.
fn message(topic: &Topic, payload: impl Into<Vec<u8>>) -> Message {
    let id = Uuid::now_v7();
    let aggregate = Aggregate::new(Tenant::new("demo").unwrap(), "order", id.to_string());
    Message {
        id,
        topic: topic.clone(),
        aggregate: aggregate.unwrap(),
        seq: 1,
        previous: None,
        headers: [("k".to_owned(), "v".to_owned())].into(),
        payload: payload.into().into(),
        created_at: OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap(),
    }
}

/// `n` messages, numbered from 0.
fn messages(topic: &Topic, n: usize) -> Vec<Message> {
    (0..n).map(|i| message(topic, i.to_string())).collect()
}

/// Publishes all of them, none refused.
async fn publish(broker: &dyn Broker, messages: &[Message]) {
    let taken = broker.publish(messages).await.unwrap();
    assert_eq!(taken, vec![Ok(()); messages.len()]);
}

/// Receives until there are `n`. The test's patience ends the wait.
async fn receive(member: &mut dyn Subscription, n: usize) -> Vec<Delivery> {
    let mut got = Vec::new();
    while got.len() < n {
        got.extend(member.receive(n - got.len(), PATIENCE).await.unwrap());
    }
    got
}

/// The messages of these deliveries, each readable.
fn of(deliveries: &[Delivery]) -> Vec<Message> {
    let messages = deliveries.iter().map(|it| it.message.clone().unwrap());
    messages.collect()
}

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|it| it.receipt.clone()).collect()
}

fn counts(deliveries: &[Delivery]) -> Vec<u32> {
    deliveries.iter().map(|it| it.n_deliveries).collect()
}
