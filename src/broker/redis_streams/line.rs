//! A connection that heals by itself, and is never trusted again once something went wrong on it.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::durability::Detected;
use crate::broker::Error;
use crate::config::{self, Secret};

/// Why something did not come about.
pub(super) type Cause = Box<dyn StdError + Send + Sync>;

/// What makes connections.
pub(super) struct Connector {
    client: Client,
    connect_timeout: Duration,
    /// How long one exchange may take.
    pub(super) timeout: Duration,
}

/// One connection at a time, made when it is needed.
#[derive(Debug)]
pub(super) struct Line {
    connector: Arc<Connector>,
    open: Mutex<Option<Open>>,
}

/// A connection, and what was found out about the server behind it.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) connection: MultiplexedConnection,
    /// Found out once for each connection: another one may lead to another server.
    pub(super) durability: Arc<OnceLock<Detected>>,
}

impl Connector {
    pub(super) fn new(url: &Secret, settings: &config::Broker) -> Result<Self, Error> {
        let info = url
            .expose()
            .into_connection_info()
            // Without TCP_NODELAY a small command waits for the answer to the one before it.
            .map(|it| it.set_tcp_settings(TcpSettings::default().set_nodelay(true)));
        let client = info.and_then(Client::open);
        Ok(Self {
            client: client.map_err(|cause| Error::new("be reached by this URL", cause))?,
            connect_timeout: settings.connect_timeout,
            timeout: settings.timeout,
        })
    }

    /// A new connection. The name is looked up anew.
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, Cause> {
        // Each exchange has a limit of its own; the driver's would end reads that block.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None);
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        Ok(timeout(self.connect_timeout, connecting).await??)
    }
}

impl Line {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            open: Mutex::new(None),
        }
    }

    /// Does `work` within the timeout, connecting included. After an error the connection is
    /// dropped, whatever the error was: the server may be the wrong one, the stream of replies out of
    /// step, and a new connection is cheap beside the pause that the caller takes.
    pub(super) async fn exchange<T, W, F>(
        &self,
        operation: &'static str,
        work: W,
    ) -> Result<T, Error>
    where
        W: FnOnce(Open) -> F + Send,
        F: Future<Output = Result<T, Cause>> + Send,
    {
        let mut used = None;
        let done = timeout(self.connector.timeout, async {
            let open = self.open().await?;
            used = Some(open.clone());
            work(open).await
        });
        let cause = match done.await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(cause)) => cause,
            Err(elapsed) => elapsed.into(),
        };
        if let Some(used) = used {
            self.close(&used).await;
        }
        Err(Error::new(operation, cause))
    }

    /// Drops the connection where it was found out to be worth another mode.
    pub(super) async fn close_unless(&self, is_still: impl FnOnce(Detected) -> bool) {
        let open = self.open.lock().await.clone();
        let found = open.as_ref().and_then(|it| it.durability.get().copied());
        if let (Some(open), Some(found)) = (open, found)
            && !is_still(found)
        {
            self.close(&open).await;
        }
    }

    /// Drops the connection, if there is one. Who is using it goes on.
    pub(super) async fn hang_up(&self) {
        *self.open.lock().await = None;
    }

    async fn open(&self) -> Result<Open, Cause> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref() {
            return Ok(open.clone());
        }
        let new = Open {
            connection: self.connector.connect().await?,
            durability: Arc::default(),
        };
        Ok(open.insert(new).clone())
    }

    /// Drops this connection, unless somebody did and there is another.
    async fn close(&self, used: &Open) {
        let mut open = self.open.lock().await;
        if open
            .as_ref()
            .is_some_and(|it| Arc::ptr_eq(&it.durability, &used.durability))
        {
            *open = None;
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the client, which knows the password.
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}
