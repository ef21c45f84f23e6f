//! Within what a key is unique: tenant and operation; and the digest that names one scoped key.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use super::Key;

/// The version of the identity's layout, the first byte that is hashed.
const LAYOUT: u8 = 1;

/// The longest tenant or operation, in bytes. The ledger's `CHECK` holds the same bound.
const BYTES_MAX: usize = 255;

/// Who is asking, from the credential and never from the body. 1 to 255 printable ASCII bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(String);

/// What is asked for: the method and the route's template, such as `POST /charge`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operation(String);

/// Why a tenant or an operation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {0} must be 1 to 255 printable ASCII characters")]
pub struct ScopeError(&'static str);

/// The digest of tenant, operation and key: SHA-256 over length-prefixed parts.
///
/// The length prefixes keep `a:b` + `c` apart from `a` + `b:c`. The layout is part of the SQL
/// contract (`docs/sql-contract.md`): version byte 1, then for each part its length in bytes as
/// a big-endian `u32` and the part itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 32]);

impl Tenant {
    /// Takes a tenant's name.
    pub fn new(name: impl Into<String>) -> Result<Self, ScopeError> {
        printable(name.into(), "tenant").map(Self)
    }

    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Operation {
    /// Takes an operation's name, usually `METHOD /route/{template}`.
    pub fn new(name: impl Into<String>) -> Result<Self, ScopeError> {
        printable(name.into(), "operation").map(Self)
    }

    /// The operation's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Identity {
    /// Names the record of `key` within `tenant` and `operation`.
    pub fn of(tenant: &Tenant, operation: &Operation, key: &Key) -> Self {
        let mut hash = Sha256::new_with_prefix([LAYOUT]);
        for part in [tenant.as_str(), operation.as_str(), key.as_str()] {
            let length =
                u32::try_from(part.len()).expect("invariant: a part has at most 255 bytes");
            hash.update(length.to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// All 32 bytes: what the hot path's value carries, so that a reply for another key shows.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 bytes: the record's id in the ledger, beside its tenant.
    pub fn id(&self) -> [u8; 16] {
        std::array::from_fn(|at| self.0.get(at).copied().expect("invariant: 16 of 32 bytes"))
    }

    /// The record's id as people write it: 32 hexadecimal digits.
    pub fn reference(&self) -> String {
        uuid::Uuid::from_bytes(self.id()).simple().to_string()
    }

    /// Bytes 16 to 24 as a big-endian integer: the advisory lock's number.
    ///
    /// 64 bits: with 10,000 requests in flight, two of them share a number once in 3·10¹¹ times,
    /// and then one of them is told 409 and comes again.
    pub fn lock(&self) -> i64 {
        i64::from_be_bytes(std::array::from_fn(|at| {
            self.0
                .get(16 + at)
                .copied()
                .expect("invariant: 24 of 32 bytes")
        }))
    }

    /// Eight hexadecimal digits for logs, where a key must never stand.
    pub fn short(&self) -> String {
        let mut short = String::with_capacity(8);
        for byte in self.0.iter().take(4) {
            write!(short, "{byte:02x}").expect("invariant: a string takes what is written");
        }
        short
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.short())
    }
}

fn printable(name: String, what: &'static str) -> Result<String, ScopeError> {
    let fits = (1..=BYTES_MAX).contains(&name.len());
    if fits && name.bytes().all(|it| (0x20..=0x7e).contains(&it)) {
        Ok(name)
    } else {
        Err(ScopeError(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity(tenant: &str, operation: &str, key: &str) -> Identity {
        Identity::of(
            &Tenant::new(tenant).unwrap(),
            &Operation::new(operation).unwrap(),
            &Key::from_header([key.as_bytes()]).unwrap(),
        )
    }

    #[test]
    fn the_identity_never_changes() {
        // Made with another SHA-256: `hashlib`, over the layout that the SQL contract describes.
        let expected = "68ef";
        let digest = identity("demo", "POST /charge", "k-1");
        assert_eq!(
            &digest.short()[..4],
            expected,
            "a new layout needs a new version byte"
        );
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(identity("a:b", "op", "c"), identity("a", "op", "b:c"));
        assert_ne!(identity("a", "bop", "c"), identity("ab", "op", "c"));
    }

    #[test]
    fn id_and_lock_are_parts_of_the_digest() {
        let identity = identity("demo", "POST /charge", "k-1");
        assert_eq!(identity.id()[..], identity.digest()[..16]);
        assert_eq!(identity.lock().to_be_bytes()[..], identity.digest()[16..24]);
    }

    #[test]
    fn names_that_the_ledger_could_not_hold_are_refused() {
        assert!(Tenant::new("").is_err());
        assert!(Tenant::new("t".repeat(256)).is_err());
        assert!(Tenant::new("tenant\n").is_err());
        assert!(Operation::new("POST /größe").is_err());
    }

    proptest! {
        #[test]
        fn different_parts_have_different_identities(
            a in ("[a-c:]{1,3}", "[a-c:]{1,3}", "[a-c:]{1,3}"),
            b in ("[a-c:]{1,3}", "[a-c:]{1,3}", "[a-c:]{1,3}"),
        ) {
            let same = identity(&a.0, &a.1, &a.2) == identity(&b.0, &b.1, &b.2);
            prop_assert_eq!(same, a == b);
        }
    }
}
