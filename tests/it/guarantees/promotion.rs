//! A fail-over to an asynchronous standby that lacks the last commits.

use std::time::Duration;

use oncely::testkit::{Backend, Database, Postgres, PostgresOptions, Proxy};
use tokio::time::Instant;

use super::world::{Pending, session};
use crate::harness::{App, Caller, Recipe, Reply, migrated, run, until};

/// A primary, a standby behind a link, and an app that finds the primary by a name.
struct Cluster {
    primary: Postgres,
    standby: Postgres,
    link: Proxy,
    /// The name: where it leads is the primary.
    name: Proxy,
    app: App,
    database: Database,
}

impl Cluster {
    async fn start() -> Self {
        let local = async |options| Postgres::start_on(Backend::Local, options).await.unwrap();
        let primary = local(PostgresOptions::default()).await;
        let database = migrated(primary.url()).await;
        let link = Proxy::start(primary.url()).await.unwrap();
        let standby = local(PostgresOptions {
            standby_of: Some(link.url().to_owned()),
            ..PostgresOptions::default()
        })
        .await;
        let name = Proxy::start(database.url()).await.unwrap();
        let app = App::made(Recipe::default().database_at(name.url())).await;
        Self {
            primary,
            standby,
            link,
            name,
            app,
            database,
        }
    }

    /// Waits until the standby has this charge.
    async fn has_arrived(&self, amount: i64) {
        let url = self.on_standby();
        until(|| async {
            let there = "SELECT count(*) FROM public.charges WHERE amount = $1";
            let n_charges: i64 = sqlx::query_scalar(there)
                .bind(amount)
                .fetch_one(&mut session(&url).await)
                .await
                .unwrap();
            n_charges == 1
        })
        .await;
    }

    /// The test's database on the standby.
    fn on_standby(&self) -> String {
        let (server, _) = self.standby.url().rsplit_once('/').unwrap();
        format!("{server}/{}", self.database.name())
    }

    /// Kills the primary, promotes the standby, and moves the name. Returns when the old history
    /// fell silent.
    async fn fail_over(&self) -> Instant {
        self.primary.kill().await.unwrap();
        let silent_since = Instant::now();
        let promote = sqlx::query("SELECT pg_promote()");
        let mut standby = session(self.standby.url()).await;
        promote.execute(&mut standby).await.unwrap();
        self.name.lead_to(self.standby.url()).await.unwrap();
        silent_since
    }
}

/// Sends it until it runs. No ghost comes to a request that was sent after the window.
async fn created_again(caller: &Caller, key: &str, amount: i64, silent_since: Instant) -> Reply {
    let settings = Recipe::default().config;
    let window = settings.ledger.epoch_max_age + settings.hot.timeout;
    loop {
        let is_within = silent_since.elapsed() < window;
        let reply = caller.charge(key, amount).await;
        assert!(is_within || !is_replay(&reply), "a ghost: {reply:?}");
        if reply.status == 201 && !is_replay(&reply) {
            return reply;
        }
        assert!(
            is_replay(&reply) || matches!(reply.status, 409 | 503),
            "{reply:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_replay(reply: &Reply) -> bool {
    reply.idempotency_status() == "replayed"
}

#[test]
fn an_answer_whose_commit_a_promotion_lost_is_withheld_within_the_window_and_runs_again() {
    run(async {
        let cluster = Cluster::start().await;
        let (app, caller) = (&cluster.app, cluster.app.caller());
        let before = app.store.ledger().epoch().await.unwrap();
        let kept = caller.charge("k-kept", 1).await;
        assert_eq!(kept.status, 201);
        cluster.has_arrived(1).await;

        cluster.link.cut().await;
        let lost = caller.charge("k-lost", 2).await;
        assert_eq!(lost.status, 201);
        let replay = caller.charge("k-lost", 2).await;
        assert_eq!(replay.essence(), lost.essence(), "Redis has the answer");

        let silent_since = cluster.fail_over().await;
        let again = created_again(&caller, "k-lost", 2, silent_since).await;
        assert_ne!(again.body, lost.body);
        let after = app.store.ledger().epoch().await.unwrap();
        assert_eq!(after.number, before.number, "nobody raised it by hand");
        assert_eq!(after.timeline, before.timeline + 1);

        for (key, amount, answer) in [("k-kept", 1, &kept), ("k-lost", 2, &again)] {
            let replay = caller.charge(key, amount).await;
            assert!(is_replay(&replay), "{replay:?}");
            assert_eq!(replay.essence(), answer.essence());
            assert_eq!(app.n_charges_of(amount).await, 1);
        }
        assert_eq!((app.n_charges().await, app.n_records().await), (2, 2));
    });
}

#[test]
fn an_operation_that_spans_a_promotion_never_gets_the_new_history_s_epoch() {
    run(async {
        let cluster = Cluster::start().await;
        let (app, caller) = (&cluster.app, cluster.app.caller());
        cluster.link.cut().await;
        let point = "store.transactional.after_commit";
        let (held, first) = Pending::held(app, point, "k-1", 1).await;
        let silent_since = cluster.fail_over().await;
        until(|| async { caller.charge("canary", 1000).await.status == 201 }).await;
        held.release();
        assert_eq!(first.reply().await.status, 201, "its primary had said so");

        let again = created_again(&caller, "k-1", 1, silent_since).await;
        let replay = caller.charge("k-1", 1).await;
        assert_eq!(replay.essence(), again.essence());
        assert_eq!((app.n_charges_of(1).await, app.n_records().await), (1, 2));
    });
}
