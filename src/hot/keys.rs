//! Every key shape that we use in Redis.
//!
//! | Shape | Value | Expiry | Written by |
//! |---|---|---|---|
//! | `<prefix>r:{<32 hex>}` | latch | `latch_ttl` after the write | `acquire` |
//! | `<prefix>r:{<32 hex>}` | answer | `min(expires_at, completed_at + retention)` | `complete` |
//! | `<prefix>p:{<32 hex>}` | `1` | `latch_ttl` after the write | `probe` |
//!
//! Latches and answers are envelopes (`codec`). The digits are [`Identity::id`] in lower case; a
//! probe's are random. The braces are a hash tag: whatever else we come to keep about one record
//! lives in the same slot of a cluster. There is no key without an end.

use std::fmt::Write as _;

use crate::domain::Identity;

/// The key of a record.
pub(super) fn record(prefix: &str, identity: &Identity) -> String {
    key(prefix, 'r', identity.id())
}

/// The key of one self-check.
pub(super) fn probe(prefix: &str, id: [u8; 16]) -> String {
    key(prefix, 'p', id)
}

/// Which of our connections carries the commands about a record.
pub(super) fn route(identity: &Identity) -> u64 {
    identity.lock().cast_unsigned()
}

fn key(prefix: &str, kind: char, id: [u8; 16]) -> String {
    let mut key = String::with_capacity(prefix.len() + 36);
    key.push_str(prefix);
    key.push(kind);
    key.push_str(":{");
    for byte in id {
        write!(key, "{byte:02x}").expect("invariant: a string takes what is written");
    }
    key.push('}');
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Key, Operation, Tenant};

    #[test]
    fn the_shapes_never_change() {
        let identity = Identity::of(
            &Tenant::new("demo").unwrap(),
            &Operation::new("POST /charge").unwrap(),
            &Key::from_header([&b"k-1"[..]]).unwrap(),
        );
        let digits = format!("{:032x}", u128::from_be_bytes(identity.id()));
        let expected = format!("oncely:r:{{{digits}}}");
        assert_eq!(record("oncely:", &identity), expected);
        assert!(digits.starts_with("68ef"));
        assert_eq!(
            probe("", [0x0a; 16]),
            "p:{0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a}"
        );
    }
}
