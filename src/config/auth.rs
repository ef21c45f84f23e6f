//! The `[auth]` section: who may call, known by the digests of their tokens.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::PLACEHOLDER;
use crate::domain::Tenant;

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The tokens' SHA-256 digests, by tenant. No default: `serve` requires one, `dev` makes one.
    ///
    /// Too few: a tenant can't rotate its token without an outage. Too many: each is a way in.
    #[serde(
        default,
        deserialize_with = "read_tokens",
        serialize_with = "write_tokens"
    )]
    pub tokens: BTreeMap<Tenant, Vec<TokenDigest>>,
}

/// The SHA-256 of a token. The token itself is kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl Auth {
    /// Adds a token in plain, as `dev` does for the tenant it invents.
    pub fn allow(&mut self, tenant: Tenant, token: &str) {
        let tokens = self.tokens.entry(tenant).or_default();
        tokens.push(TokenDigest::of(token));
    }
}

impl TokenDigest {
    /// The digest of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Reads 64 lowercase hexadecimal digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let is_lowercase = hex
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() != 64 || !is_lowercase {
            return None;
        }
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(digest))
    }

    /// Writes 64 lowercase hexadecimal digits: the form in the file.
    pub fn to_hex(self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            write!(hex, "{byte:02x}").expect("invariant: a string takes what is written");
        }
        hex
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenDigest({PLACEHOLDER})")
    }
}

/// Reads `tenant:token,tenant:token` in plain, as it stands in the environment.
///
/// The error names an entry by its number: what was written may be a secret.
pub(super) fn parse_plain(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut tokens: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let entries = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    for (number, entry) in (1..).zip(entries) {
        let Some((tenant, token)) = entry.split_once(':') else {
            return Err(format!("entry {number} has no `tenant:`"));
        };
        if Tenant::new(tenant).is_err() || token.is_empty() {
            return Err(format!("entry {number} has no valid tenant or no token"));
        }
        let digests = tokens.entry(tenant.to_owned()).or_default();
        digests.push(TokenDigest::of(token).to_hex());
    }
    Ok(tokens)
}

fn read_tokens<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<Tenant, Vec<TokenDigest>>, D::Error> {
    let mut tokens = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, hexes) in BTreeMap::<String, Vec<String>>::deserialize(from)? {
        let Ok(tenant) = Tenant::new(&*name) else {
            wrong.push("a tenant is not 1 to 255 printable ASCII characters".to_owned());
            continue;
        };
        if hexes.is_empty() {
            wrong.push(format!("tenant `{tenant}` has no token"));
        }
        let mut digests = Vec::new();
        for (number, hex) in (1..).zip(&hexes) {
            match TokenDigest::from_hex(hex) {
                Some(digest) => digests.push(digest),
                None => wrong.push(format!(
                    "token {number} of tenant `{tenant}` is not 64 lowercase hexadecimal digits"
                )),
            }
        }
        tokens.insert(tenant, digests);
    }
    if wrong.is_empty() {
        Ok(tokens)
    } else {
        let wrong = wrong.join(", and ");
        Err(D::Error::custom(format!(
            "lists of SHA-256 digests, but {wrong}"
        )))
    }
}

fn write_tokens<S: Serializer>(
    tokens: &BTreeMap<Tenant, Vec<TokenDigest>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(tokens.len()))?;
    for (tenant, digests) in tokens {
        map.serialize_entry(tenant.as_str(), &vec![PLACEHOLDER; digests.len()])?;
    }
    map.end()
}
