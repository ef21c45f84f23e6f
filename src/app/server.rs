//! Two listeners, the API's and the admin's, and a shutdown that cuts no request off.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::start::StartError;
use crate::config::{Config, Role};
use crate::http::{Options, Render, Tokens, admin};
use crate::payments;
use crate::shutdown::Tasks;
use crate::store::Store;

/// A process that is ready to serve: addresses are bound, and nothing is answered yet.
#[derive(Debug)]
pub struct Server {
    /// `None` in a process without the role `api`.
    api: Option<(TcpListener, Router)>,
    admin: (TcpListener, Router),
    store: Store,
    stopping: CancellationToken,
    drain_timeout: Duration,
}

impl Server {
    /// Binds the addresses of `config`; port 0 takes a free one.
    pub async fn bind(config: &Config, store: Store, render: Render) -> Result<Self, StartError> {
        let options =
            Options::new(&config.http, &config.idempotency).map_err(StartError::Headers)?;
        let stopping = CancellationToken::new();
        let api = if config.roles.contains(&Role::Api) {
            let tokens = Tokens::new(&config.auth);
            let routes =
                payments::routes(&store, options, tokens, (&config.processor, &config.tax))?;
            Some((listen(config.http_addr, "http_addr").await?, routes))
        } else {
            None
        };
        let admin = admin(store.clone(), render, stopping.clone());
        Ok(Self {
            api,
            admin: (listen(config.admin_addr, "admin_addr").await?, admin),
            store,
            stopping,
            drain_timeout: config.http.drain_timeout,
        })
    }

    /// The addresses that were bound: the API's, where this process has one, and the admin's.
    pub fn addresses(&self) -> std::io::Result<(Option<SocketAddr>, SocketAddr)> {
        let api = self.api.as_ref().map(|(listener, _)| listener.local_addr());
        Ok((api.transpose()?, self.admin.0.local_addr()?))
    }

    /// Serves until `stop` ends, then drains: no new connection, `/readyz` says so, requests in
    /// flight get their answers, and operations whose clients are gone end too. All of it within
    /// `http.drain_timeout`; false where an operation needed longer and was cut off.
    pub async fn run(self, stop: impl Future<Output = ()>) -> bool {
        let Self {
            api,
            admin,
            store,
            stopping,
            drain_timeout,
        } = self;
        // Not on the store's tasks: those are to be drained while these still serve.
        let servers = Tasks::default();
        let is_stopping = stopping.clone();
        let api = servers.spawn(async move {
            let stop = is_stopping.cancelled_owned();
            match api {
                Some((listener, routes)) => {
                    let served = axum::serve(listener, routes);
                    served.with_graceful_shutdown(stop).await
                }
                None => Ok(()),
            }
        });
        servers.spawn_loop(async move {
            if let Err(error) = axum::serve(admin.0, admin.1).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the admin port failed");
            }
        });
        stop.await;
        tracing::info!("stopping: finishing what is in flight");
        stopping.cancel();
        store.stop_waiting();
        let deadline = Instant::now() + drain_timeout;
        let abort = api.abort_handle();
        if timeout_at(deadline, api).await.is_err() {
            // Somebody keeps a connection open without a whole request on it.
            tracing::info!("closing connections that stayed open");
            abort.abort();
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let is_drained = store.tasks().drain(left.max(LAST_WAIT)).await;
        servers.drain(LAST_WAIT).await;
        if timeout(LAST_WAIT, store.ledger().close()).await.is_err() {
            tracing::info!("leaving connections to the database that did not close");
        }
        is_drained
    }
}

/// What is left to do when the time is up is to close sockets.
const LAST_WAIT: Duration = Duration::from_secs(1);

async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen {
            address,
            setting,
            source,
        })
}
