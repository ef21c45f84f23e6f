//! The effective settings as entries that can be shown: every secret is redacted here.

use figment::value::Value;

use super::{Loaded, Origin, keys};

/// One effective setting, fit to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key: `ledger.pool_size`.
    pub key: String,
    /// The value, secrets redacted; null where there is none.
    pub value: serde_json::Value,
    /// Where it comes from.
    pub origin: Origin,
}

impl Loaded {
    /// Every setting, top level first, then section by section.
    pub fn entries(&self) -> Vec<Entry> {
        let leaves = keys::leaves(&keys::dict(&self.config)).into_iter();
        leaves
            .map(|(key, value)| Entry {
                value: plain(&value),
                origin: self.origin(&key).clone(),
                key,
            })
            .collect()
    }
}

/// The value as JSON, absence as null.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Empty(..) => serde_json::Value::Null,
        Value::String(..)
        | Value::Char(..)
        | Value::Bool(..)
        | Value::Num(..)
        | Value::Dict(..)
        | Value::Array(..) => serde_json::to_value(value)
            .expect("invariant: settings hold no float that is no number"),
    }
}
