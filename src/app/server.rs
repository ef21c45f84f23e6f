//! Two listeners, the API's and the admin's, and a shutdown that cuts no request off.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::start::StartError;
use crate::config::Config;
use crate::http::{Options, Render, Tokens, admin};
use crate::payments;
use crate::store::Store;

/// A process that is ready to serve: addresses are bound, and nothing is answered yet.
#[derive(Debug)]
pub struct Server {
    api: (TcpListener, Router),
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
        let api = payments::routes(&store, options, Tokens::new(&config.auth));
        let admin = admin(store.clone(), render, stopping.clone());
        Ok(Self {
            api: (listen(config.http_addr, "http_addr").await?, api),
            admin: (listen(config.admin_addr, "admin_addr").await?, admin),
            store,
            stopping,
            drain_timeout: config.http.drain_timeout,
        })
    }

    /// The addresses that were bound: the API's and the admin's.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.api.0.local_addr()?, self.admin.0.local_addr()?))
    }

    /// Serves until `stop` ends, then drains: no new connection, `/readyz` says so, requests in
    /// flight get their answers, and operations whose clients are gone end too. False where
    /// `http.drain_timeout` was not enough.
    pub async fn run(self, stop: impl Future<Output = ()>) -> bool {
        let Self {
            api,
            admin,
            store,
            stopping,
            drain_timeout,
        } = self;
        let tasks = store.tasks().clone();
        let is_stopping = stopping.clone();
        let api = tasks.spawn(async move {
            let stop = is_stopping.cancelled_owned();
            axum::serve(api.0, api.1).with_graceful_shutdown(stop).await
        });
        tasks.spawn_loop(async move {
            // It serves until everything else has been drained.
            if let Err(error) = axum::serve(admin.0, admin.1).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the admin port failed"
                );
            }
        });
        stop.await;
        tracing::info!("stopping: finishing what is in flight");
        stopping.cancel();
        let is_drained = tokio::time::timeout(drain_timeout, api).await.is_ok();
        let is_drained = tasks.drain(drain_timeout).await && is_drained;
        if is_drained {
            // Work that was left holds its connection, and closing would wait for it for ever.
            store.ledger().close().await;
        }
        is_drained
    }
}

async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen {
            address,
            setting,
            source,
        })
}
