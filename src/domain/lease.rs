//! A leased operation's words: who holds it, how far it is, and the key that its calls carry.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::{Claim, Record, State, Tenant, Verdict};

/// The version of the downstream key's layout, the first byte that is hashed.
const LAYOUT: u8 = 1;

/// The name under which the request itself is carried. No phase is called so.
const REQUEST: &str = "@request";

/// The name under which the request's trace is carried.
const TRACE: &str = "@trace";

/// The hold of one attempt on a record. Whatever it writes says this `attempt`: a later one's
/// record is not touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose record.
    pub tenant: Tenant,
    /// The record's id within the tenant.
    pub id: [u8; 16],
    /// The fencing number: each take-over has a higher one.
    pub attempt: i32,
}

/// How far a leased operation has got: its recovery point.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The phase that is next, or that somebody was in when the process died.
    pub phase: String,
    /// What was recorded so far.
    pub carried: Carried,
    /// The key of the latest call, stored before that was sent; `None` where none was sent.
    pub downstream_key: Option<Uuid>,
}

/// The request and what each phase recorded, by the phase's name. Its `Debug` form shows only names:
/// a request may hold a card.
#[derive(Clone, PartialEq, Default)]
pub struct Carried(Map<String, Value>);

/// A record does not carry what a phase looks for.
#[derive(Debug, thiserror::Error)]
pub enum CarriedError {
    /// Nothing of this name.
    #[error("the record carries no `{0}`")]
    Missing(String),
    /// Something else under this name.
    #[error("what the record carries as `{name}` is something else")]
    Other {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What to do where a phase calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Store the key first: it is not known to be stored.
    StoreKey,
    /// Send: the key is stored.
    Send,
    /// Send nothing: an earlier attempt may have, and the other side can't tell a repeat.
    Never,
}

/// A call that did not bring its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Surely nothing was done.
    NotDone,
    /// It may have been done.
    MayBeDone,
}

/// Whether a request may take over `record`, should its lease be over: only where it asks for the same,
/// because another request is a mismatch first.
pub fn may_take_over(claim: &Claim, record: &Record) -> bool {
    let verdict = record.fingerprint.map(|it| claim.compare(&it));
    let is_open = matches!(record.state, State::InProgress { .. });
    is_open && verdict == Some(Verdict::Same)
}

/// What comes before a call. A key that another attempt has stored may have been sent.
pub fn before_call(is_key_stored: bool, is_key_ours: bool, accepts_keys: bool) -> Sending {
    match (is_key_stored, is_key_ours || accepts_keys) {
        (false, _) => Sending::StoreKey,
        (true, true) => Sending::Send,
        (true, false) => Sending::Never,
    }
}

/// Whether a call is sent again that was not answered: the value says whether it may have been done by
/// then; `None` where it may have been, and the other side can't tell a repeat.
pub fn after_call(unanswered: Unanswered, may_be_done: bool, accepts_keys: bool) -> Option<bool> {
    match unanswered {
        Unanswered::NotDone => Some(may_be_done),
        Unanswered::MayBeDone if accepts_keys => Some(true),
        Unanswered::MayBeDone => None,
    }
}

/// The key that the call of `phase` carries: the same for every attempt, so that the other side can
/// tell a repeat. SHA-256 over the layout's version, the record's id and the phase's name; of it the
/// first 16 bytes, marked as a UUID of version 8.
pub fn downstream_key(id: [u8; 16], phase: &str) -> Uuid {
    let mut hash = Sha256::new_with_prefix([LAYOUT]);
    hash.update(id);
    hash.update(phase);
    let digest: [u8; 32] = hash.finalize().into();
    let bytes = std::array::from_fn(|at| *digest.get(at).expect("invariant: 16 of 32 bytes"));
    Builder::from_custom_bytes(bytes).into_uuid()
}

impl Lease {
    /// The record's id as people write it: 32 hexadecimal digits.
    pub fn reference(&self) -> String {
        Uuid::from_bytes(self.id).simple().to_string()
    }
}

impl Carried {
    /// What there is when the operation begins.
    pub fn of_request(request: Value) -> Self {
        Self(Map::from_iter([(REQUEST.to_owned(), request)]))
    }

    /// With the headers that carry on the request's trace.
    #[must_use]
    pub fn traced(self, headers: &[(&'static str, String)]) -> Self {
        if headers.is_empty() {
            return self;
        }
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        self.with(TRACE, Value::Object(headers.collect()))
    }

    /// The headers that carry on the trace of the request that began the operation.
    pub fn trace(&self) -> BTreeMap<String, String> {
        self.get(TRACE).unwrap_or_default()
    }

    /// Reads it back from the ledger; `None` where it is no object.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The request.
    pub fn request<T: DeserializeOwned>(&self) -> Result<T, CarriedError> {
        self.get(REQUEST)
    }

    /// What `phase` recorded.
    pub fn get<T: DeserializeOwned>(&self, phase: &str) -> Result<T, CarriedError> {
        let name = || phase.to_owned();
        let value = self.0.get(phase);
        let value = value.ok_or_else(|| CarriedError::Missing(name()))?;
        let other = |source| CarriedError::Other {
            name: name(),
            source,
        };
        T::deserialize(value).map_err(other)
    }

    /// Whether `phase` has recorded something.
    pub fn has(&self, phase: &str) -> bool {
        self.0.contains_key(phase)
    }

    /// With what `phase` records.
    #[must_use]
    pub fn with(mut self, phase: &str, value: Value) -> Self {
        self.0.insert(phase.to_owned(), value);
        self
    }
}

impl fmt::Display for Carried {
    /// As JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.0).expect("invariant: JSON can be written");
        f.write_str(&text)
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_downstream_key_never_changes_and_differs_by_record_and_phase() {
        let key = downstream_key([7; 16], "charge");
        assert_eq!(key.to_string(), "3d29229b-b8a0-8a12-8ca4-81300fbe682d");
        assert_eq!(key.get_version_num(), 8);
        assert_ne!(key, downstream_key([8; 16], "charge"));
        assert_ne!(key, downstream_key([7; 16], "refund"));
    }

    #[test]
    fn what_another_attempt_may_have_sent_is_sent_again_only_with_a_key_that_counts() {
        for (is_stored, is_ours, accepts_keys, expected) in [
            (false, false, false, Sending::StoreKey),
            (false, true, true, Sending::StoreKey),
            (true, true, false, Sending::Send),
            (true, false, true, Sending::Send),
            (true, false, false, Sending::Never),
        ] {
            assert_eq!(before_call(is_stored, is_ours, accepts_keys), expected);
        }
        for accepts_keys in [true, false] {
            for before in [true, false] {
                let again = after_call(Unanswered::NotDone, before, accepts_keys);
                assert_eq!(again, Some(before));
            }
        }
        assert_eq!(after_call(Unanswered::MayBeDone, false, true), Some(true));
        assert_eq!(after_call(Unanswered::MayBeDone, false, false), None);
    }

    #[test]
    fn what_is_carried_is_read_back_and_never_shown() {
        let trace = [("traceparent", "00-1".to_owned())];
        let carried = Carried::of_request(Value::from("tok_secret")).traced(&trace);
        assert!(!carried.has("request"), "a phase may be called so");
        let carried = carried.with("charge", 1.into());
        let again = Carried::parse(&carried.to_string()).unwrap();
        assert_eq!(again, carried);
        assert_eq!(again.request::<String>().unwrap(), "tok_secret");
        assert_eq!(again.trace()["traceparent"], "00-1");
        assert_eq!(Carried::default().trace(), BTreeMap::new());
        assert!(matches!(
            again.get::<String>("charge"),
            Err(CarriedError::Other { .. })
        ));
        assert!(matches!(
            again.get::<i64>("refund"),
            Err(CarriedError::Missing(_))
        ));
        assert!(!format!("{carried:?}").contains("tok_secret"));
        assert!(Carried::parse("[]").is_none());
    }
}
