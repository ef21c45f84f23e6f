//! The history of a storm: a log for each operation, of which every request is told.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, Request};
use serde::Deserialize;

use super::timeline::Timeline;
use crate::client::{Response, Watch};
use crate::domain::{Identity, Key, Operation, Tenant};
use crate::history::{Answer, Log};

/// The two operations whose keys are watched.
pub(super) const CHARGE: &str = "POST /charge";
pub(super) const PAYMENT: &str = "POST /payments";

/// What was sent and what came back. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct History {
    tenant: Tenant,
    pub(super) charges: Log,
    pub(super) payments: Log,
    timeline: Timeline,
}

/// What tells two requests of one key apart.
#[derive(Deserialize)]
struct Asks {
    amount: i64,
    source: String,
}

impl History {
    pub(super) fn begin(tenant: Tenant, timeline: Timeline) -> Self {
        Self {
            tenant,
            charges: Log::default(),
            payments: Log::default(),
            timeline,
        }
    }

    /// What the history calls the register of a key: the id of its record in the ledger.
    pub(super) fn register(&self, operation: &str, key: &Key) -> Result<String> {
        let operation = Operation::new(operation).context("name an operation")?;
        Ok(Identity::of(&self.tenant, &operation, key).reference())
    }

    /// Logs a request that is about to be sent.
    pub(super) fn invoke(&self, path: &str, register: &str, body: &[u8]) -> u64 {
        let asks = serde_json::from_slice(body).map(|it: Asks| asks(it.amount, &it.source));
        let (log, base) = self.log(path);
        2 * log.invoke(register, asks.unwrap_or_default()) + base
    }

    /// Logs its answer.
    pub(super) fn answered(&self, call: u64, status: u16, headers: &HeaderMap, body: &[u8]) {
        let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
        let code = code(header("content-type"), body);
        let word = header("idempotency-status").unwrap_or_default();
        let answer = Answer::of(status, word, code.as_deref(), body);
        self.timeline.got(Some(answer.verdict));
        self.log_of(call).answer(call / 2, answer);
    }

    /// Logs that nobody waits for it any more.
    pub(super) fn lost(&self, call: u64) {
        self.timeline.got(None);
        self.log_of(call).lost(call / 2);
    }

    fn log(&self, path: &str) -> (&Log, u64) {
        if path.ends_with("/payments") {
            (&self.payments, 1)
        } else {
            (&self.charges, 0)
        }
    }

    /// Even numbers are charges, odd ones payments.
    fn log_of(&self, call: u64) -> &Log {
        if call.is_multiple_of(2) {
            &self.charges
        } else {
            &self.payments
        }
    }
}

/// What a request asks for, in the history's words.
pub(super) fn asks(amount: i64, source: &str) -> String {
    format!("{amount} {source}")
}

fn code(content_type: Option<&str>, body: &[u8]) -> Option<String> {
    if content_type != Some("application/problem+json") {
        return None;
    }
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(document.get("code")?.as_str()?.to_owned())
}

/// Tells the history of the client's attempts.
#[derive(Debug)]
pub(super) struct Witness(pub(super) History);

impl Witness {
    pub(super) fn of(history: &History) -> Arc<dyn Watch> {
        Arc::new(Self(history.clone()))
    }
}

impl Watch for Witness {
    fn sending(&self, request: &Request<Bytes>) -> u64 {
        let path = request.uri().path();
        let header = request.headers().get("idempotency-key");
        let key = header.and_then(|it| Key::from_header([it.as_bytes()]).ok());
        let operation = if path == "/payments" { PAYMENT } else { CHARGE };
        let register = key.and_then(|it| self.0.register(operation, &it).ok());
        let register = register.unwrap_or_default();
        self.0.invoke(path, &register, request.body())
    }

    fn answered(&self, call: u64, response: &Response) {
        let status = response.status.as_u16();
        self.0
            .answered(call, status, &response.headers, &response.body);
    }

    fn lost(&self, call: u64) {
        self.0.lost(call);
    }
}
