//! An event before it has an id, a place and a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::error::EnqueueError;
use crate::domain::Topic;

/// The largest payload, in bytes; the table's `CHECK` holds the same bound. A broker that takes less
/// makes dead letters of what it refuses.
pub const PAYLOAD_BYTES_MAX: usize = 1_048_576;

/// The most that all headers of an event may have, names and values together, in bytes.
pub const HEADERS_BYTES_MAX: usize = 16_384;

/// An event to be enqueued: what is told, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub(super) topic: Topic,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) payload: Bytes,
}

impl Event {
    /// An event of these bytes.
    pub fn new(topic: Topic, payload: impl Into<Bytes>) -> Self {
        Self {
            topic,
            headers: BTreeMap::new(),
            payload: payload.into(),
        }
    }

    /// An event whose payload is JSON.
    pub fn json<T: Serialize>(topic: Topic, payload: &T) -> Result<Self, EnqueueError> {
        let payload = serde_json::to_vec(payload).map_err(EnqueueError::Unserializable)?;
        Ok(Self::new(topic, payload).header("content-type", "application/json"))
    }

    /// With a header; one of the same name is replaced.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Refuses what the outbox does not take.
    pub(super) fn check(&self) -> Result<(), EnqueueError> {
        if PAYLOAD_BYTES_MAX < self.payload.len() {
            return Err(EnqueueError::PayloadTooLarge(self.payload.len()));
        }
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len());
        if HEADERS_BYTES_MAX < headers.sum() {
            return Err(EnqueueError::HeadersTooLarge);
        }
        // jsonb can't hold it, and the statement would fail with words about Unicode.
        let mut texts = self.headers.iter().flat_map(|(name, value)| [name, value]);
        if texts.any(|it| it.contains('\0')) {
            return Err(EnqueueError::NulInHeader);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n_bytes: usize) -> Event {
        Event::new(Topic::new("t").unwrap(), vec![b'x'; n_bytes])
    }

    #[test]
    fn what_is_too_large_is_refused_before_any_statement() {
        assert!(event(PAYLOAD_BYTES_MAX).check().is_ok());
        let refused = event(PAYLOAD_BYTES_MAX + 1).check().unwrap_err();
        assert!(matches!(refused, EnqueueError::PayloadTooLarge(1_048_577)));
        let long = event(0).header("h", "v".repeat(HEADERS_BYTES_MAX));
        assert!(matches!(long.check(), Err(EnqueueError::HeadersTooLarge)));
        let nul = event(0).header("h", "\0");
        assert!(matches!(nul.check(), Err(EnqueueError::NulInHeader)));
    }
}
