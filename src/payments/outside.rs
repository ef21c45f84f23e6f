//! How the payment path calls others: plain HTTP, one request on each connection, and no detours.

use std::time::Duration;

/// There can be no client for what a setting names.
#[derive(Debug, thiserror::Error)]
#[error("what is at `{setting}` can't be called")]
pub struct ClientError {
    setting: &'static str,
    source: reqwest::Error,
}

/// A client for the one whose address `setting` names.
pub(super) fn client(
    setting: &'static str,
    timeout: Duration,
) -> Result<reqwest::Client, ClientError> {
    let client = reqwest::Client::builder();
    // Its `http://` needs no TLS, but where another room has built TLS in, a client asks for it.
    #[cfg(feature = "client")]
    let client = {
        crate::client::provide_tls();
        client.tls_certs_only([])
    };
    let client = client
        .timeout(timeout)
        // The other side's books are where it says, not where somebody else says.
        .redirect(reqwest::redirect::Policy::none())
        // A connection that was cut while it lay idle is an answer that is missing.
        .pool_max_idle_per_host(0)
        // Not the environment's: only our settings say whom we call.
        .no_proxy();
    let built = client.build();
    built.map_err(|source| ClientError { setting, source })
}
