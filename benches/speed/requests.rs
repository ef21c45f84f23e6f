//! The requests that are sent: the same size everywhere, so that contenders differ in what they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::load::Make;

/// The token that every server of a run knows.
pub(crate) const TOKEN: &str = "bench-token";

/// A charge with this key.
pub(crate) fn charge(path: &str, key: &str, amount: u64) -> Vec<u8> {
    let body = format!(
        r#"{{"amount": {amount}, "currency": "USD", "source": "tok_visa", "sku": "sku-1", "quantity": 1, "reference": "order 12345, two blue widgets"}}"#
    );
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n\
         Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Charges that nobody has asked for yet, with keys as our client mints them.
pub(crate) fn new_charges(path: &'static str) -> Make {
    Arc::new(move |_, n| charge(path, &Uuid::now_v7().to_string(), 1 + n))
}

/// Charges with random keys, as most other clients mint them.
pub(crate) fn random_charges(path: &'static str) -> Make {
    Arc::new(move |_, n| charge(path, &Uuid::new_v4().to_string(), 1 + n))
}

/// `n_keys` charges again and again. Whoever is first makes them.
pub(crate) fn repeated_charges(path: &'static str, n_keys: u64) -> Make {
    let run = Uuid::new_v4();
    Arc::new(move |index, n| {
        // Each connection begins elsewhere.
        let at = n.wrapping_add(u64::try_from(index).unwrap_or(0).wrapping_mul(7919)) % n_keys;
        charge(path, &format!("{run}-{at}"), 1 + at)
    })
}

/// Pairs of the same new charge, sent at the same time by two connections.
pub(crate) fn twin_charges(path: &'static str) -> Make {
    let run = Uuid::new_v4();
    Arc::new(move |index, n| charge(path, &format!("{run}-{}-{n}", index / 2), 1 + n))
}

/// One key for charges of ever other amounts.
pub(crate) fn mismatched_charges(path: &'static str) -> Make {
    let (key, n_sent) = (Uuid::new_v4().to_string(), AtomicU64::new(0));
    Arc::new(move |_, _| charge(path, &key, 1 + n_sent.fetch_add(1, Ordering::Relaxed)))
}
