//! One member of a group, on a connection of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, timeout};

use super::consumers::take_out;
use super::line::{Cause, Connector};
use super::refusal::is_group_there;
use super::{RedisStreams, receive};
use crate::broker::{Delivery, Error, Receipt, Subscription};
use crate::domain::Topic;

/// Where a claim begins that has looked at everything.
pub(super) const START: &str = "0-0";

/// One member.
#[derive(Debug)]
pub(super) struct Member {
    connector: Arc<Connector>,
    /// Taken for each exchange and put back after it: whoever drops a call, or gets an error, drops
    /// the connection with it. So a read that was given up can't hold up the next one.
    connection: Option<MultiplexedConnection>,
    pub(super) topic: Topic,
    pub(super) key: String,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) redeliver_after: Duration,
    /// Where the next claim goes on, and when.
    pub(super) claim_from: String,
    pub(super) claim_at: Instant,
}

impl Member {
    pub(super) fn new(broker: &RedisStreams, topic: &Topic, group: &str, name: &str) -> Self {
        Self {
            connector: Arc::clone(&broker.inner.connector),
            connection: None,
            topic: topic.clone(),
            key: broker.key(topic),
            group: group.to_owned(),
            name: name.to_owned(),
            redeliver_after: broker.inner.redeliver_after,
            claim_from: START.to_owned(),
            claim_at: Instant::now(),
        }
    }

    /// Makes the group where it is not there; it begins with the oldest entry.
    pub(super) async fn join(&mut self) -> Result<(), Error> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.key).arg(&self.group);
        create.arg("0").arg("MKSTREAM");
        let work = |mut connection| async move {
            match create.query_async::<()>(&mut connection).await {
                Err(cause) if is_group_there(&cause) => Ok(()),
                done => Ok(done?),
            }
        };
        self.exchange("subscribe", Duration::ZERO, work).await
    }

    /// Does `work`, which may wait for as long as `patience` on top of what an exchange may take.
    pub(super) async fn exchange<T, W, F>(
        &mut self,
        operation: &'static str,
        patience: Duration,
        work: W,
    ) -> Result<T, Error>
    where
        W: FnOnce(MultiplexedConnection) -> F + Send,
        F: Future<Output = Result<T, Cause>> + Send,
    {
        let connection = self.connection.take();
        let connector = &self.connector;
        let done = timeout(patience.saturating_add(connector.timeout), async {
            let connection = match connection {
                Some(connection) => connection,
                None => connector.connect().await?,
            };
            let done = work(connection.clone()).await?;
            Ok::<_, Cause>((connection, done))
        });
        match done.await {
            Ok(Ok((connection, done))) => {
                self.connection = Some(connection);
                Ok(done)
            }
            Ok(Err(cause)) => Err(Error::new(operation, cause)),
            Err(elapsed) => Err(Error::new(operation, elapsed)),
        }
    }
}

impl Subscription for Member {
    fn receive(
        &mut self,
        n_max: usize,
        patience: Duration,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Error>> {
        Box::pin(receive::receive(self, n_max, patience))
    }

    fn acknowledge<'a>(&'a mut self, receipts: &'a [Receipt]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if receipts.is_empty() {
                return Ok(());
            }
            let mut done = redis::cmd("XACK");
            done.arg(&self.key).arg(&self.group);
            for receipt in receipts {
                done.arg(&receipt.0);
            }
            let work = |mut connection| async move {
                Ok(done.query_async::<u64>(&mut connection).await.map(drop)?)
            };
            self.exchange("acknowledge", Duration::ZERO, work).await
        })
    }

    fn leave(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let (key, group, name) = (self.key.clone(), self.group.clone(), self.name.clone());
            let work = |mut connection| async move {
                take_out(&mut connection, &key, group.as_bytes(), name.as_bytes()).await
            };
            self.exchange("leave", Duration::ZERO, work).await
        })
    }
}
