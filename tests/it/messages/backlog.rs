//! 18,000 events behind an outage: nothing is given up, the drain keeps to its cap, and what is
//! bought meanwhile does not wait for it. The table that the test writes shows both.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use oncely::broker::{Broker, RedisStreams};
use oncely::config::Secret;
use oncely::domain::{Aggregate, Tenant, Topic};
use oncely::failpoint::FailPoints;
use oncely::ledger::Ledger;
use oncely::outbox::{self, Event, LockedAggregate, Relay};
use oncely::shutdown::Tasks;

use super::order::hurried;
use super::world::World;
use crate::harness::{redis_at, run, until};

const BACKLOG: i64 = 18_000;

/// Events a second that the relay may publish.
const CAP: u32 = 3_000;

/// How many events are told while the backlog drains, and how far apart.
const FRESH: i64 = 300;
const FRESH_EVERY: Duration = Duration::from_millis(10);

/// Piles events up, as they stand after an outage: told one a millisecond up to a minute ago.
const PILE: &str = "
WITH told AS (
    SELECT n, encode(substring(int8send(
            (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 60000 - 18000 + n) FROM 3)
        || substring(uuid_send(gen_random_uuid()) FROM 7), 'hex')::uuid AS id, (n % 16)::smallint AS shard
    FROM generate_series(1, 18000) AS n
), event AS (
    INSERT INTO oncely.outbox_event
        (id, tenant, position, shard, kind, aggregate, seq, topic, headers, payload)
    SELECT id, 'demo', nextval('oncely.outbox_position'), shard, 'old', 'o-' || n, 1, 'told', '{}',
        convert_to('old', 'UTF8')
    FROM told ORDER BY n
    RETURNING shard, position, tenant, id, seq
)
INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
SELECT shard, position, tenant, id, seq, position FROM event";

/// A published event: when, in milliseconds by Redis' clock, and whether it is of the backlog.
struct Published {
    at: i64,
    is_old: bool,
    /// How long it had waited, in milliseconds.
    lag: i64,
}

async fn tell(ledger: &Ledger, n: i64) {
    let tenant = Tenant::new("demo").unwrap();
    let aggregate = Aggregate::new(tenant, "new", format!("n-{n}")).unwrap();
    let mut tx = ledger.begin().await.unwrap();
    let event = Event::new(Topic::new("told").unwrap(), "new");
    let mut created = LockedAggregate::created(aggregate);
    outbox::enqueue(&mut tx, &mut created, event).await.unwrap();
    ledger.commit(tx).await.unwrap();
}

/// What the broker was given, in its order, measured there.
async fn published(world: &World) -> Vec<Published> {
    let mut redis = redis_at(world.redis.url()).await;
    let mut entries: Vec<(String, HashMap<String, Vec<u8>>)> = Vec::new();
    loop {
        let last = entries.last();
        let from = last.map_or_else(|| "-".to_owned(), |(id, _)| format!("({id}"));
        let mut ask = redis::cmd("XRANGE");
        let ask = ask
            .arg("t:s:told")
            .arg(from)
            .arg("+")
            .arg("COUNT")
            .arg(1_000);
        let page: Vec<_> = ask.query_async(&mut redis).await.unwrap();
        if page.is_empty() {
            break;
        }
        entries.extend(page);
    }
    let read = |(id, fields): &(String, HashMap<String, Vec<u8>>)| {
        let at: i64 = id.split('-').next().unwrap().parse().unwrap();
        let id = std::str::from_utf8(&fields["id"]).unwrap();
        let told = oncely::domain::time_of_id(id.parse().unwrap());
        let told = i64::try_from(told.unix_timestamp_nanos() / 1_000_000).unwrap();
        Published {
            at,
            is_old: fields["payload"] == b"old",
            lag: at - told,
        }
    };
    entries.iter().map(read).collect()
}

/// The most that were published in any window of one second.
fn busiest_second(published: &[Published]) -> usize {
    let starts = published.iter().enumerate();
    let within = |(from, first): (usize, &Published)| {
        let rest = &published[from..];
        rest.iter()
            .take_while(|it| it.at < first.at + 1_000)
            .count()
    };
    starts.map(within).max().unwrap_or(0)
}

/// One line for each second: how many, of them fresh, and how long the slowest fresh one had waited.
fn table(published: &[Published]) -> String {
    let first = published[0].at;
    let mut seconds: BTreeMap<i64, (u32, u32, i64)> = BTreeMap::new();
    for it in published {
        let second = seconds.entry((it.at - first) / 1_000).or_default();
        second.0 += 1;
        if !it.is_old {
            second.1 += 1;
            second.2 = second.2.max(it.lag);
        }
    }
    let mut text = format!(
        "{BACKLOG} events behind an outage, cap {CAP} a second\n\n\
         second  published  of them fresh  slowest fresh\n"
    );
    for (second, (n, fresh, lag)) in seconds {
        writeln!(text, "{second:>6}  {n:>9}  {fresh:>13}  {lag:>10} ms").unwrap();
    }
    text
}

#[test]
fn a_backlog_drains_at_the_cap_while_fresh_events_overtake_it_and_none_is_given_up() {
    run(async {
        let world = World::shared().await;
        world.execute(PILE).await;
        let mut config = hurried();
        config.outbox.rate_max = CAP;
        let url = Secret::new(world.database.url());
        let ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention).unwrap();
        let redis = Secret::new(world.name.url());
        let patience = config.inbox.redeliver_after;
        let broker: Arc<dyn Broker> =
            Arc::new(RedisStreams::connect(&redis, &config.broker, patience).unwrap());
        world.name.refuse().await;
        let tasks = Tasks::default();
        let relay = Relay::new(
            ledger.clone(),
            broker,
            config.outbox.clone(),
            config.broker.clone(),
            FailPoints::default(),
            "relay".to_owned(),
        );
        relay.start(&tasks);
        // An outage of a few probes.
        tokio::time::sleep(config.broker.breaker_pause * 10).await;
        let spent = "SELECT (SELECT coalesce(sum(attempts), 0) FROM oncely.outbox_pending) \
                     + (SELECT count(*) FROM oncely.dead_letter)";
        assert_eq!(world.count(spent).await, 0, "an outage spends no attempts");
        world.name.pass().await;
        // What is told from here on is told after the outage.
        let redis = redis_at(world.redis.url()).await;
        until(|| async {
            let mut redis = redis.clone();
            let ask = redis::cmd("XLEN").arg("t:s:told").to_owned();
            let length: i64 = ask.query_async(&mut redis).await.unwrap();
            0 < length
        })
        .await;

        for n in 1..=FRESH {
            tell(&ledger, n).await;
            tokio::time::sleep(FRESH_EVERY).await;
        }
        let pending = "SELECT count(*) FROM oncely.outbox_pending";
        until(|| async { world.count(pending).await == 0 }).await;
        assert!(tasks.drain(Duration::from_secs(10)).await);

        let published = published(&world).await;
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/backlog.txt");
        std::fs::write(path, table(&published)).unwrap();
        println!("{}", table(&published));
        let n_fresh = published.iter().filter(|it| !it.is_old).count();
        assert!(usize::try_from(FRESH).unwrap() <= n_fresh);
        assert!(usize::try_from(BACKLOG).unwrap() <= published.len() - n_fresh);
        let busiest = busiest_second(&published);
        assert!(
            busiest <= usize::try_from(CAP).unwrap(),
            "{busiest} in one second"
        );
        // None of the fresh ones waited for the backlog's end.
        let last_old = published.iter().rposition(|it| it.is_old).unwrap();
        let last_fresh = published.iter().rposition(|it| !it.is_old).unwrap();
        assert!(
            last_fresh < last_old,
            "they queued behind it: {}",
            table(&published)
        );
        assert_eq!(
            world.count("SELECT count(*) FROM oncely.dead_letter").await,
            0
        );
    });
}
