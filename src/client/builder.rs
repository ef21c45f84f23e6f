//! Makes a client.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::policy::Policy;
use super::site::Sites;
use super::transport::{Http, Transport};

/// A client of one API. Cloning shares its connections, budgets and breakers: make one per process
/// and API, because a budget that is made anew for each call holds back nothing.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) policy: Policy,
    pub(super) sites: Arc<Sites>,
}

/// The settings of a client.
#[derive(Debug, Default)]
#[must_use = "a builder makes a client with `build`"]
pub struct Builder {
    policy: Policy,
    http: Option<reqwest::ClientBuilder>,
    headers: HeaderMap,
    invalid: Option<String>,
    #[cfg(feature = "cli")]
    watch: Option<Arc<dyn super::Watch>>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A header that every request should carry is none.
    #[error("the header {name:?} is not one that HTTP allows")]
    Header {
        /// The header's name, as it was given.
        name: String,
    },
    /// reqwest refuses its settings, or finds no certificates of authorities on this machine.
    #[error("set up HTTP and TLS")]
    Http(#[from] reqwest::Error),
}

impl Client {
    /// A client with safe defaults, to be changed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client whose requests go through `transport`.
    #[cfg(test)]
    pub(super) fn over(transport: Arc<dyn Transport>, policy: Policy) -> Self {
        Self {
            transport,
            policy,
            sites: Arc::default(),
        }
    }
}

impl Builder {
    /// Retries by `policy`.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sends `Authorization: Bearer <token>` with each request, wherever the operation's URL leads:
    /// a client is for one API. Redirects to another host are not followed.
    pub fn bearer_auth(self, token: &str) -> Self {
        self.default_header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sends one more header with each request. Its value counts as a secret.
    pub fn default_header(mut self, name: &str, value: &str) -> Self {
        let parsed = HeaderName::try_from(name).ok();
        match parsed.zip(HeaderValue::from_str(value).ok()) {
            Some((name, mut value)) => {
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            None => self.invalid = Some(name.to_owned()),
        }
        self
    }

    /// Takes proxies, certificates and the like from `http`. Redirects, retries, default headers
    /// and the time to connect stay the client's.
    pub fn http(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// Tells `watch` of each attempt.
    #[cfg(feature = "cli")]
    pub(crate) fn watched_by(mut self, watch: Arc<dyn super::Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Makes the client. Where the process has no TLS provider, it gets rustls' `ring`.
    pub fn build(self) -> Result<Client, BuildError> {
        if let Some(name) = self.invalid {
            return Err(BuildError::Header { name });
        }
        provide_tls();
        let http = self.http.unwrap_or_default().default_headers(self.headers);
        let transport = Http::new(http)?;
        #[cfg(feature = "cli")]
        let transport: Arc<dyn Transport> = match self.watch {
            Some(watch) => Arc::new(super::watch::Watched { transport, watch }),
            None => Arc::new(transport),
        };
        #[cfg(not(feature = "cli"))]
        let transport = Arc::new(transport);
        Ok(Client {
            transport,
            policy: self.policy,
            sites: Arc::default(),
        })
    }
}

/// Gives the process a TLS provider (rustls' `ring`) unless it has one. With the feature `client`,
/// a [`reqwest::Client`] of your own needs it too.
pub fn provide_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker: then there is one.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_none_is_refused_by_name_and_not_by_value() {
        let refused = Client::builder().bearer_auth("two\nlines").build();
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("authorization") && !text.contains("lines"),
            "{text}"
        );
    }

    #[test]
    fn debug_tells_no_token() {
        let builder = Client::builder().bearer_auth("my-secret");
        assert!(!format!("{builder:?}").contains("my-secret"));
    }
}
