//! One exchange with Redis: behind the breaker, within the timeout, and never waiting to connect.

use std::future::Future;
use std::sync::atomic::Ordering;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::task::unconstrained;
use tokio::time::{Instant, timeout};

use super::error::{BreakerOpen, NoConnection, Verdict};
use super::{Class, Error, Hot, Operation};
use crate::telemetry::tiers;

impl Hot {
    /// Does `work` on the connection that `route` leads to.
    ///
    /// The first poll puts the first command of `work` into the connection's queue: nothing is
    /// awaited before, and tokio's budget, which could make the queue look full, is lifted.
    pub(super) async fn exchange<T, W, F>(
        &self,
        operation: Operation,
        route: u64,
        work: W,
    ) -> Result<T, Error>
    where
        W: FnOnce(MultiplexedConnection) -> F + Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        let since = Instant::now();
        let ended = self.attempt(operation, route, work).await;
        tiers::hot_took(operation.command(), since.elapsed());
        ended.inspect_err(|error| tiers::hot_failed(error.class.as_str()))
    }

    async fn attempt<T, W, F>(&self, operation: Operation, route: u64, work: W) -> Result<T, Error>
    where
        W: FnOnce(MultiplexedConnection) -> F + Send,
        F: Future<Output = RedisResult<T>> + Send,
    {
        let connections = self.inner.connections.as_deref();
        let (connections, connection) = connections
            .and_then(|it| Some((it, it.pick(route)?)))
            .ok_or_else(|| Error::new(operation, Class::Open, NoConnection))?;
        let permit = self
            .inner
            .breaker
            .admit()
            .ok_or_else(|| Error::new(operation, Class::Open, BreakerOpen))?;
        let work = unconstrained(work(connection));
        let error = match timeout(self.inner.settings.timeout, work).await {
            Ok(Ok(done)) => {
                permit.succeed();
                return Ok(done);
            }
            Ok(Err(cause)) => Error::redis(operation, cause),
            Err(elapsed) => Error::new(operation, Class::Timeout, elapsed),
        };
        match error.verdict() {
            Verdict::Alive => permit.succeed(),
            Verdict::Suspect => {
                permit.fail();
                connections.check();
            }
            Verdict::Elsewhere => {
                permit.fail();
                connections.reconnect();
            }
        }
        Err(error)
    }

    /// Remembers for [`Hot::status`] whether Redis took the last write or had no room for it.
    pub(super) fn note_room(&self, is_full: bool) {
        // Read first: all requests share this, and it hardly ever changes.
        if self.inner.is_full.load(Ordering::Relaxed) != is_full {
            self.inner.is_full.store(is_full, Ordering::Relaxed);
        }
    }
}
