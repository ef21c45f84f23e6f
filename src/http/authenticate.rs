//! Bearer tokens to tenants. Only the hash of a token is kept.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::code::Code;
use super::problem::Problem;
use crate::config::{Auth, TokenDigest};
use crate::domain::Tenant;

/// The known tokens. Cloning shares them.
#[derive(Clone)]
pub struct Tokens(Arc<HashMap<TokenDigest, Tenant>>);

impl Tokens {
    /// Takes the tokens of the section `auth`.
    pub fn new(auth: &Auth) -> Self {
        let pairs = auth.tokens.iter().flat_map(|(tenant, digests)| {
            digests.iter().map(move |digest| (*digest, tenant.clone()))
        });
        Self(Arc::new(pairs.collect()))
    }

    fn tenant_of(&self, headers: &HeaderMap) -> Option<Tenant> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        // Looked up by digest: the time it takes says nothing about a token that is nearly right.
        self.0.get(&TokenDigest::of(token.trim())).cloned()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn tenant_of(authorization: &[&str]) -> Option<String> {
        let mut auth = Auth {
            tokens: BTreeMap::new(),
        };
        auth.allow(Tenant::new("demo").unwrap(), "secret");
        let tokens = Tokens::new(&auth);
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
}
