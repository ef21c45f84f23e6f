//! A fail-over of Redis to a replica that had been cut off.

use std::time::Duration;

use oncely::failpoint::Action;
use oncely::testkit::{Backend, Proxy, Redis, RedisOptions};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Value};
use tokio::time::Instant;

use super::world::{Pending, holds_answer, record_key, redis_at};
use crate::harness::{App, Recipe, RedisChoice, Reply, run, until};

/// Long enough to be met after the fail-over.
const TRUST: Duration = Duration::from_secs(2);

/// A primary, its replica behind a link, and an app that finds the primary by a name.
struct Twins {
    _primary: Redis,
    replica: Redis,
    at_primary: MultiplexedConnection,
    at_replica: MultiplexedConnection,
    link: Proxy,
    name: Proxy,
    app: App,
}

impl Twins {
    async fn start() -> Self {
        let start = async || {
            let options = RedisOptions::with(["--repl-diskless-sync-delay", "0"]);
            let started = Redis::start_on(Backend::Local, options).await;
            started.unwrap()
        };
        let (primary, replica) = (start().await, start().await);
        let link = Proxy::start(primary.url()).await.unwrap();
        let name = Proxy::start(primary.url()).await.unwrap();
        let mut at_replica = redis_at(replica.url()).await;
        let address = link.address();
        follow(&mut at_replica, &address.ip().to_string(), address.port()).await;
        let recipe = Recipe::default().redis(RedisChoice::At(name.url().to_owned()));
        let app = App::made(recipe.with(|it| it.hot.trust_window = TRUST)).await;
        Self {
            at_primary: redis_at(primary.url()).await,
            at_replica,
            _primary: primary,
            replica,
            link,
            name,
            app,
        }
    }

    /// Waits until the replica has what the primary has of this key, and returns it.
    async fn replicated(&self, key: &str) -> Vec<u8> {
        let record = record_key(&self.app, key);
        let (at_primary, at_replica) = (self.at_primary.clone(), self.at_replica.clone());
        let value = async |mut it: MultiplexedConnection| -> Option<Vec<u8>> {
            it.get(&record).await.unwrap()
        };
        loop {
            let here = value(at_replica.clone()).await;
            if let Some(here) = here
                && value(at_primary.clone()).await.as_ref() == Some(&here)
            {
                return here;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes the replica a primary, and moves the name.
    async fn fail_over(&mut self) {
        let () = redis::cmd("REPLICAOF")
            .arg("NO")
            .arg("ONE")
            .query_async(&mut self.at_replica)
            .await
            .unwrap();
        self.name.lead_to(self.replica.url()).await.unwrap();
    }
}

async fn follow(replica: &mut MultiplexedConnection, host: &str, port: u16) {
    let mut order = redis::cmd("REPLICAOF");
    let () = order
        .arg(host)
        .arg(port)
        .query_async(replica)
        .await
        .unwrap();
    let connection = replica.clone();
    until(|| async {
        let mut connection = connection.clone();
        let mut ask = redis::cmd("INFO");
        let info: Value = ask
            .arg("replication")
            .query_async(&mut connection)
            .await
            .unwrap();
        format!("{info:?}").contains("master_link_status:up")
    })
    .await;
}

/// Sends it until it is no longer told to wait. No 409 comes to a request that was sent after the
/// latch, set before `latched_by`, had lost its trust.
async fn answered(app: &App, key: &str, amount: i64, latched_by: Instant) -> Reply {
    loop {
        let is_trusted = latched_by.elapsed() <= TRUST;
        let reply = app.caller().charge(key, amount).await;
        if reply.code() != "in-flight" {
            return reply;
        }
        assert!(is_trusted, "an old latch still counts: {reply:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_stale_replica_that_is_promoted_refuses_for_its_latches_trust_and_then_all_is_right() {
    run(async {
        let mut twins = Twins::start().await;
        let point = "store.transactional.after_acquire";
        let (done, first) = Pending::held(&twins.app, point, "k-done", 1).await;
        let (failed, second) = Pending::held(&twins.app, point, "k-failed", 2).await;
        let latched_by = Instant::now();
        let old = [
            twins.replicated("k-done").await,
            twins.replicated("k-failed").await,
        ];

        // The primary alone hears how both end: one is done, and the other keeps nothing.
        twins.link.cut().await;
        done.release();
        let first = first.reply().await;
        assert_eq!((first.status, first.idempotency_status()), (201, "created"));
        holds_answer(&mut twins.at_primary, &twins.app, ("k-done", 1), &first).await;
        twins
            .app
            .points
            .arm("store.transactional.after_work", Action::Error);
        failed.release();
        assert_eq!(second.reply().await.code(), "store-unavailable");
        let at_primary: Option<Vec<u8>> = twins
            .at_primary
            .get(record_key(&twins.app, "k-failed"))
            .await
            .unwrap();
        assert_eq!(at_primary, None, "its latch was taken away");

        twins.fail_over().await;
        for (key, was) in ["k-done", "k-failed"].into_iter().zip(&old) {
            let record = record_key(&twins.app, key);
            let is: Vec<u8> = twins.at_replica.get(record).await.unwrap();
            assert_eq!(is, *was, "{key}: the latch is back");
        }
        let replay = answered(&twins.app, "k-done", 1, latched_by).await;
        assert_eq!(replay.idempotency_status(), "replayed", "{replay:?}");
        assert_eq!(replay.essence(), first.essence());
        let retry = answered(&twins.app, "k-failed", 2, latched_by).await;
        assert_eq!((retry.status, retry.idempotency_status()), (201, "created"));

        // The new primary is told, and replays by itself.
        for (key, amount, answer) in [("k-done", 1, &first), ("k-failed", 2, &retry)] {
            holds_answer(&mut twins.at_replica, &twins.app, (key, amount), answer).await;
            let replay = twins.app.caller().charge(key, amount).await;
            assert_eq!(replay.essence(), answer.essence());
            assert_eq!(twins.app.n_charges_of(amount).await, 1);
        }
        assert_eq!(twins.app.n_records().await, 2);
    });
}
