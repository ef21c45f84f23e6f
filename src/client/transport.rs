//! Sends one request and reads its answer whole. The only file that knows reqwest.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use reqwest::redirect::{self, Action, Attempt};

use super::response::Response;

/// How long a connection may take to be made: a server that is there takes a round trip or two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The most redirects that are followed for one attempt.
const REDIRECTS_MAX: usize = 5;

/// Carries one request. It never sends one twice.
pub(super) trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request and reads its answer whole.
    ///
    /// # Cancellation
    ///
    /// Nothing is sent after the future is dropped; what was sent before may have arrived.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response, Lost>>;
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) sent: Sent,
    pub(super) source: Box<dyn StdError + Send + Sync>,
}

/// How far a request without an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// There was no connection.
    No,
    /// It may have arrived.
    Maybe,
    /// It is none, and never will be.
    Never,
}

/// HTTP as reqwest speaks it.
#[derive(Debug)]
pub(super) struct Http(reqwest::Client);

impl Http {
    /// Takes the settings of `builder`, save for redirects and retries.
    pub(super) fn new(builder: reqwest::ClientBuilder) -> Result<Self, reqwest::Error> {
        let client = builder
            .redirect(redirect::Policy::custom(follow))
            // Its own retries would be counted by nobody.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()?;
        Ok(Self(client))
    }
}

impl Transport for Http {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response, Lost>> {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(lost)?;
            let answer = self.0.execute(request).await.map_err(lost)?;
            Ok(Response {
                status: answer.status(),
                headers: answer.headers().clone(),
                body: answer.bytes().await.map_err(lost)?,
            })
        })
    }
}

/// Follows only what keeps method, body and key, on the same host, and never out of TLS: body and
/// credentials are for whom they were given to.
fn follow(attempt: Attempt<'_>) -> Action {
    let keeps = matches!(
        attempt.status(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    let stays = attempt.previous().last().is_some_and(|from| {
        let leaves_tls = from.scheme() == "https" && attempt.url().scheme() != "https";
        from.host() == attempt.url().host() && !leaves_tls
    });
    if keeps && stays && attempt.previous().len() <= REDIRECTS_MAX {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn lost(error: reqwest::Error) -> Lost {
    let sent = if error.is_builder() {
        Sent::Never
    } else if error.is_connect() {
        Sent::No
    } else {
        Sent::Maybe
    };
    // A URL may hold what is nobody's business.
    let source = Box::new(error.without_url());
    Lost { sent, source }
}
