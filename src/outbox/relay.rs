//! The relay: leases, the pump and the chores side by side, from start to an orderly end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::chores::Chores;
use super::failure::{Failure, within};
use super::gate::Gate;
use super::lease::Leases;
use super::pump::Pump;
use super::wake::listen;
use crate::broker::Broker;
use crate::config;
use crate::failpoint::FailPoints;
use crate::ledger::Ledger;
use crate::shutdown::Tasks;

/// How often a relay looks at its leases, at least.
const GLANCE: Duration = Duration::from_secs(1);

/// How long giving the leases back may take; after that they run out by themselves.
const LEAVE: Duration = Duration::from_secs(2);

/// How long a relay that panicked waits before it begins anew.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Publishes what was enqueued. Any number of relays may run: they share the shards among them.
#[derive(Debug)]
pub struct Relay {
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    outbox: config::Outbox,
    settings: config::Broker,
    inbox: Option<config::Inbox>,
    points: FailPoints,
    name: String,
}

impl Relay {
    /// A relay that publishes the events of `ledger` to `broker`. Its work runs on connections of its
    /// own, `outbox.pool_size` of them and one to listen on. `name` is shown to people, such as
    /// `host:pid`.
    pub fn new(
        ledger: Ledger,
        broker: Arc<dyn Broker>,
        outbox: config::Outbox,
        settings: config::Broker,
        points: FailPoints,
        name: String,
    ) -> Self {
        Self {
            ledger,
            broker,
            outbox,
            settings,
            inbox: None,
            points,
            name,
        }
    }

    /// One that also sees to the inbox's partitions and its horizon. Without this they are nobody's.
    #[must_use]
    pub fn keeping_inbox(mut self, inbox: config::Inbox) -> Self {
        self.inbox = Some(inbox);
        self
    }

    /// Starts it on `tasks`. A shutdown of `tasks` lets it finish and settle the batch in flight, give
    /// its leases back, and end: within the broker's time-out, ten seconds for Postgres, and two more.
    ///
    /// A panic ends nothing: the relay begins anew, with another owner's id.
    pub fn start(self, tasks: &Tasks) -> JoinHandle<()> {
        let stop = tasks.stopping();
        tasks.spawn(async move {
            while !stop.is_cancelled() {
                let life = AssertUnwindSafe(Box::pin(self.live(&stop)));
                if life.catch_unwind().await.is_err() {
                    tracing::error!("the relay panicked, and begins anew");
                    tokio::select! {
                        () = stop.cancelled() => (),
                        () = tokio::time::sleep(AFTER_PANIC) => (),
                    }
                }
            }
        })
    }

    async fn live(&self, stop: &CancellationToken) {
        // In a task, where a runtime is there for the pool.
        let ledger = self.ledger.apart(self.outbox.pool_size.max(2));
        let leases = Leases::new(ledger.clone(), self.outbox.lease, self.name.clone());
        let gate = Gate::new(Arc::clone(&self.broker), &self.settings);
        let wake = Notify::new();
        let chores = Chores {
            ledger: &ledger,
            gate: &gate,
            leases: &leases,
            outbox: &self.outbox,
            inbox: self.inbox.as_ref(),
            keep: self.settings.keep,
            points: &self.points,
        };
        let mut pump = Pump::new(
            (&ledger, &self.outbox),
            (&gate, self.settings.breaker_pause),
            &leases,
            &self.points,
            (&wake, self.ledger.enqueued()),
        );
        tracing::info!(owner = %leases.owner, name = self.name, "the relay starts");
        // The pump alone ends, and only between two batches. The others may be dropped anywhere.
        tokio::select! {
            () = Box::pin(pump.run(stop)) => (),
            () = Box::pin(self.keep_leases(&leases, &wake)) => (),
            () = Box::pin(chores.run()) => (),
            () = Box::pin(listen(&self.ledger, &wake)) => (),
        }
        if let Err(failure) = within(LEAVE, "giving back the leases", leases.leave()).await {
            failure.log("giving back the leases");
        }
        ledger.close().now_or_never();
        tracing::info!(owner = %leases.owner, "the relay has ended");
    }

    /// Renews three times in a lease, and looks for shards to take once a second.
    async fn keep_leases(&self, leases: &Leases, wake: &Notify) {
        let every = (self.outbox.lease / 3).min(GLANCE);
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.keep_once(leases).await {
                Ok(true) => wake.notify_one(),
                Ok(false) => (),
                Err(failure) => failure.log("renewing the leases"),
            }
        }
    }

    async fn keep_once(&self, leases: &Leases) -> Result<bool, Failure> {
        self.points.reach("outbox.lease.before_renew").await?;
        let kept = within(self.outbox.lease, "the leases", leases.keep()).await?;
        self.points.reach("outbox.lease.after_renew").await?;
        Ok(kept)
    }
}
