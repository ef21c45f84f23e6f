//! Bearer tokens to tenants. Only the hash of a token is kept.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use super::problem::{Code, Problem};
use crate::domain::Tenant;

/// The known tokens. Cloning shares them.
///
/// Looking a token up by its SHA-256 takes no longer for a token that is nearly right.
#[derive(Clone)]
pub struct Tokens(Arc<HashMap<[u8; 32], Tenant>>);

/// A token's hash or its tenant is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// Not 64 hexadecimal digits.
    #[error("a token of tenant `{tenant}` is not the SHA-256 of a token, 64 hexadecimal digits")]
    Hash {
        /// Whose token.
        tenant: String,
    },
    /// Not a tenant's name.
    #[error("`{tenant}` is no tenant: use 1 to 255 printable ASCII characters")]
    Tenant {
        /// The name.
        tenant: String,
    },
    /// One token for two tenants.
    #[error("tenants `{tenant}` and `{other}` have the same token; give each its own")]
    Shared {
        /// One of them.
        tenant: String,
        /// The other.
        other: String,
    },
}

impl Tokens {
    /// Takes pairs of tenant and SHA-256 of a token, in hexadecimal digits.
    pub fn from_hashes<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TokensError> {
        let mut tokens: HashMap<[u8; 32], Tenant> = HashMap::new();
        for (name, hash) in pairs {
            let tenant = Tenant::new(name)
                .map_err(|_cause| TokensError::Tenant { tenant: name.to_owned() })?;
            let hash = from_hex(hash)
                .ok_or_else(|| TokensError::Hash { tenant: name.to_owned() })?;
            let before = tokens.insert(hash, tenant.clone());
            if let Some(other) = before.filter(|it| *it != tenant) {
                let other = other.as_str().to_owned();
                return Err(TokensError::Shared { tenant: name.to_owned(), other });
            }
        }
        Ok(Self(Arc::new(tokens)))
    }

    fn tenant_of(&self, headers: &HeaderMap) -> Option<Tenant> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(token.trim()).into();
        self.0.get(&hash).cloned()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

/// Puts the caller's [`Tenant`] into the request's extensions, or answers 401.
pub(super) async fn authenticate(
    State(tokens): State<Tokens>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(tenant) = tokens.tenant_of(request.headers()) else {
        let detail = "Send `Authorization: Bearer <token>` with a token of this service.";
        return Problem::new(Code::Unauthorized, detail).into_response();
    };
    request.extensions_mut().insert(tenant);
    next.run(request).await
}

fn from_hex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(token: &str) -> String {
        Sha256::digest(token).iter().map(|it| format!("{it:02x}")).collect()
    }

    fn tenant_of(authorization: &[&str]) -> Option<String> {
        let tokens = Tokens::from_hashes([("demo", hash("secret").as_str())]).unwrap();
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        tokens.tenant_of(&headers).map(|it| it.as_str().to_owned())
    }

    #[test]
    fn a_known_token_names_its_tenant() {
        assert_eq!(tenant_of(&["Bearer secret"]).as_deref(), Some("demo"));
        assert_eq!(tenant_of(&["bearer  secret"]).as_deref(), Some("demo"));
    }

    #[test]
    fn anything_else_names_nobody() {
        for headers in [
            &[][..],
            &["Bearer wrong"],
            &["Basic secret"],
            &["secret"],
            &["Bearer "],
            &["Bearer secret", "Bearer secret"],
        ] {
            assert_eq!(tenant_of(headers), None, "{headers:?}");
        }
    }

    #[test]
    fn wrong_lists_are_refused() {
        let shared = hash("s");
        assert!(Tokens::from_hashes([("a", "abc")]).is_err());
        assert!(Tokens::from_hashes([("", shared.as_str())]).is_err());
        assert!(Tokens::from_hashes([("a", shared.as_str()), ("b", shared.as_str())]).is_err());
        assert!(Tokens::from_hashes([("a", shared.as_str()), ("a", shared.as_str())]).is_ok());
    }
}
