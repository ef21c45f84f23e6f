//! Runs one consumer: what comes from the broker, and what waits in the ledger.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backoff;
use super::consumer::Consumer;
use super::desk::Desk;
use super::receive::receive;
use super::register::register;
use super::trouble;
use super::waiting::rounds;
use crate::broker::Broker;
use crate::config;
use crate::failpoint::FailPoints;
use crate::ledger::Ledger;
use crate::shutdown::Tasks;
use crate::telemetry::messages as metrics;

/// One consumer at work. Several runners of one consumer, here or elsewhere, share its messages.
pub struct Runner {
    desk: Desk,
    broker: Arc<dyn Broker>,
    member: String,
}

impl Runner {
    /// A runner of `consumer`, with connections of `ledger`. `member` names it in its group at the
    /// broker, and is unique to this process.
    pub fn new(
        ledger: Ledger,
        broker: Arc<dyn Broker>,
        consumer: Arc<dyn Consumer>,
        settings: config::Inbox,
        points: FailPoints,
        member: String,
    ) -> Self {
        let desk = Desk {
            ledger,
            consumer,
            settings,
            points,
            changed: Arc::new(Notify::new()),
        };
        Self {
            desk,
            broker,
            member,
        }
    }

    /// Starts it on `tasks`. A drain of these ends it as [`Runner::run`] says.
    pub fn start(self, tasks: &Tasks) {
        let stop = tasks.stopping();
        // The work's end is waited for by the drain of `tasks`; its handle says no more.
        drop(tasks.spawn(self.run(stop)));
    }

    /// Runs until `stop` is cancelled: then it finishes the batch in flight, takes no new one, and
    /// leaves its group. That takes at most about half a second longer than what is in flight.
    ///
    /// # Cancellation
    ///
    /// Dropped, it is as if the process had crashed: what was in flight is rolled back and comes again,
    /// with the attempt counted.
    pub async fn run(self, stop: CancellationToken) {
        let name = self.desk.name();
        metrics::register_consumer(name);
        let registering = || -> BoxFuture<'_, bool> { Box::pin(self.register()) };
        self.again("register", &stop, registering).await;
        let receiving = || -> BoxFuture<'_, bool> { Box::pin(self.receive(&stop)) };
        let waiting = || -> BoxFuture<'_, bool> { Box::pin(self.wait(&stop)) };
        tokio::join!(
            self.again("receive", &stop, receiving),
            self.again("waiting", &stop, waiting),
        );
    }

    async fn register(&self) -> bool {
        let (ledger, consumer) = (&self.desk.ledger, &self.desk.consumer);
        let registered = register(ledger, consumer.name(), &consumer.topic()).await;
        if let Err(error) = &registered {
            let error = trouble::chain(error);
            tracing::warn!(consumer = consumer.name(), error, "register");
        }
        registered.is_ok()
    }

    async fn receive(&self, stop: &CancellationToken) -> bool {
        receive(&self.desk, self.broker.as_ref(), &self.member, stop).await;
        true
    }

    async fn wait(&self, stop: &CancellationToken) -> bool {
        rounds(&self.desk, stop).await;
        true
    }

    /// Does `work` until it says that it is done, also after a panic, or until the stop.
    async fn again<'a>(
        &self,
        part: &str,
        stop: &CancellationToken,
        work: impl Fn() -> BoxFuture<'a, bool>,
    ) {
        let mut n = 0;
        while !stop.is_cancelled() {
            match AssertUnwindSafe(work()).catch_unwind().await {
                Ok(true) => return,
                Ok(false) => (),
                Err(_panic) => tracing::error!(consumer = self.desk.name(), part, "panicked"),
            }
            n += 1;
            tokio::select! {
                () = stop.cancelled() => (),
                () = tokio::time::sleep(backoff::wait(&self.desk.settings, n)) => (),
            }
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("consumer", &self.desk.name())
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}
