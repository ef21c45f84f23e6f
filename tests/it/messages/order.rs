//! The events of an aggregate take effect in their order: under two relays, two members of a group, a
//! member that takes messages and says nothing, and a broker that forgets in between.

use std::sync::Arc;
use std::time::Duration;

use oncely::broker::{Broker, RedisStreams};
use oncely::config::{Config, Secret};
use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::failpoint::FailPoints;
use oncely::inbox::{self, ApplyError, BoxFuture, Consumer, Runner};
use oncely::ledger::{Ledger, Tx};
use oncely::outbox::{self, Event, LockedAggregate, Relay};
use oncely::shutdown::Tasks;

use super::world::World;
use crate::harness::{run, until};

const AGGREGATES: i64 = 30;
const EVENTS: i64 = 20;

/// Writes down what it applies, in the order of its commits.
struct Trail;

impl Consumer for Trail {
    fn name(&self) -> &'static str {
        "trail"
    }

    fn topic(&self) -> Topic {
        Topic::new("order.changed").unwrap()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let insert = "INSERT INTO public.trail (aggregate, seq, payload) VALUES ($1, $2, $3)";
            sqlx::query(insert)
                .bind(message.aggregate.id())
                .bind(message.seq)
                .bind(&message.payload[..])
                .execute(&mut **tx)
                .await?;
            Ok(())
        })
    }
}

/// Settings by which a test meets what takes minutes in production.
pub(super) fn hurried() -> Config {
    let mut config = Config::default();
    let millis = Duration::from_millis;
    config.ledger.operation_timeout = millis(1500);
    config.broker.timeout = millis(700);
    config.broker.breaker_pause = millis(100);
    config.broker.key_prefix = "t:".to_owned();
    config.outbox.lease = Duration::from_secs(1);
    config.outbox.full_scan_interval = millis(300);
    config.outbox.reconcile_after = Duration::from_secs(2);
    config.outbox.reconcile_interval = millis(200);
    config.outbox.epoch_interval = millis(100);
    config.inbox.handler_timeout = Duration::from_secs(1);
    config.inbox.redeliver_after = millis(1500);
    config.inbox.gap_timeout = millis(300);
    config
}

/// Enqueues an aggregate's events, each in a transaction of its own.
async fn tell(ledger: Ledger, id: i64) {
    for seq in 1..=EVENTS {
        let tenant = Tenant::new("demo").unwrap();
        let aggregate = Aggregate::new(tenant, "order", format!("o-{id}")).unwrap();
        let mut tx = ledger.begin().await.unwrap();
        let mut locked = LockedAggregate::lock(&mut tx, aggregate).await.unwrap();
        let event = Event::new(Topic::new("order.changed").unwrap(), format!("{id}/{seq}"));
        outbox::enqueue(&mut tx, &mut locked, event).await.unwrap();
        ledger.commit(tx).await.unwrap();
    }
}

#[test]
fn events_of_an_aggregate_take_effect_once_and_in_order_whatever_is_lost_or_repeated() {
    run(async {
        let world = World::shared().await;
        world
            .execute(
                "CREATE TABLE public.trail (at bigserial PRIMARY KEY, aggregate text NOT NULL, \
                 seq bigint NOT NULL, payload bytea NOT NULL)",
            )
            .await;
        let config = hurried();
        let url = Secret::new(world.database.url());
        let ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention).unwrap();
        let redis = Secret::new(world.name.url());
        let patience = config.inbox.redeliver_after;
        let broker: Arc<dyn Broker> =
            Arc::new(RedisStreams::connect(&redis, &config.broker, patience).unwrap());
        inbox::register(&ledger, "trail", &Trail.topic())
            .await
            .unwrap();
        let tasks = Tasks::default();
        for name in ["one", "two"] {
            let relay = Relay::new(
                ledger.clone(),
                Arc::clone(&broker),
                config.outbox.clone(),
                config.broker.clone(),
                FailPoints::default(),
                name.to_owned(),
            );
            relay.start(&tasks);
            let runner = Runner::new(
                ledger.apart(4),
                Arc::clone(&broker),
                Arc::new(Trail),
                config.inbox.clone(),
                FailPoints::default(),
                name.to_owned(),
            );
            runner.start(&tasks);
        }
        let mut mute = broker
            .subscribe(&Trail.topic(), "trail", "mute")
            .await
            .unwrap();

        let telling: Vec<_> = (1..=AGGREGATES)
            .map(|id| tasks.spawn(tell(ledger.clone(), id)))
            .collect();
        let mut n_taken = 0;
        while n_taken == 0 {
            n_taken = mute
                .receive(7, Duration::from_millis(100))
                .await
                .unwrap()
                .len();
        }
        world.redis.flush().await.unwrap();
        for told in telling {
            told.await.unwrap();
        }
        let all = AGGREGATES * EVENTS;
        until(|| async { world.count("SELECT count(*) FROM public.trail").await >= all }).await;
        assert!(tasks.drain(Duration::from_secs(10)).await, "a graceful end");

        let out_of_order = "SELECT count(*) FROM (SELECT seq, payload, aggregate, row_number() \
             OVER (PARTITION BY aggregate ORDER BY at) AS place FROM public.trail) AS step \
             WHERE seq <> place OR payload <> convert_to(substr(aggregate, 3) || '/' || seq, 'UTF8')";
        assert_eq!(world.count(out_of_order).await, 0);
        assert_eq!(world.count("SELECT count(*) FROM public.trail").await, all);
        let dead = "SELECT count(*) FROM oncely.dead_letter";
        assert_eq!(world.count(dead).await, 0);
    });
}
