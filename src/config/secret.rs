//! Values that must not be seen: passwords, URLs with passwords, fingerprint secrets.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands wherever a secret would.
pub const PLACEHOLDER: &str = "[redacted]";

/// What stands for a part of a URL.
const HIDDEN: &str = "***";

/// The query parameters of a URL that tell where, and not who: the only ones that are shown.
const SHOWN: [&str; 5] = ["sslmode", "host", "port", "dbname", "protocol"];

/// A secret. `Debug` and `Serialize` write a placeholder; [`Secret::expose`] is easy to find.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(SecretString::from(secret.into()))
    }

    /// The secret itself. Never put it into a message, a log line or an error.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// The secret read as a URL: scheme, host, port and path stay, the password does not.
    pub fn redacted_url(&self) -> String {
        redact(self.expose()).unwrap_or_else(|| PLACEHOLDER.to_owned())
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(if self.is_empty() { "" } else { PLACEHOLDER })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let secret = String::deserialize(from)?;
        // What `config print` writes looks like a file; its placeholder must not become a secret.
        if secret == PLACEHOLDER {
            return Err(D::Error::custom(format!(
                "the secret itself, not the placeholder {PLACEHOLDER} that `config print` writes"
            )));
        }
        Ok(Self::new(secret))
    }
}

#[expect(clippy::ref_option, reason = "serde hands a field over by reference")]
pub(super) fn as_url<S: Serializer>(url: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    url.as_ref().map(Secret::redacted_url).serialize(to)
}

/// Redacts a URL, erring on the side of hiding; `None` where it is no URL.
fn redact(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    // The last `@`: a password that nobody escaped may hold one, and a `/` or a `?` as well.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let rest = rest.split('#').next()?;
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let mut shown = format!("{scheme}://");
    if let Some(user) = user {
        shown.push_str(&redact_user(scheme, user));
        shown.push('@');
    }
    shown.push_str(&redact_place(place));
    if let Some(query) = query {
        let parts: Vec<String> = query.split('&').map(redact_parameter).collect();
        shown.push('?');
        shown.push_str(&parts.join("&"));
    }
    Some(shown)
}

/// A lone name is a user for Postgres, but often a password put in the wrong place for Redis.
fn redact_user(scheme: &str, user: &str) -> String {
    match user.split_once(':') {
        Some((name, _)) => format!("{name}:{HIDDEN}"),
        None if scheme.starts_with("postgres") => user.to_owned(),
        None => HIDDEN.to_owned(),
    }
}

/// Without an `@`, `user:password` stands where `host:port` should: only digits are a port.
fn redact_place(place: &str) -> String {
    let (host, path) = match place.split_once('/') {
        Some((host, path)) => (host, format!("/{path}")),
        None => (place, String::new()),
    };
    match host.rsplit_once(':') {
        Some((name, port)) if !port.bytes().all(|it| it.is_ascii_digit() || it == b']') => {
            format!("{name}:{HIDDEN}{path}")
        }
        Some(_) | None => format!("{host}{path}"),
    }
}

fn redact_parameter(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if SHOWN.contains(&name) => parameter.to_owned(),
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_url_keeps_the_host_and_loses_the_password() {
        let urls = [
            ("postgres://u:pw@db:5432/x", "postgres://u:***@db:5432/x"),
            ("postgres://u@db/x", "postgres://u@db/x"),
            (
                "postgres://db/x?password=pw&sslmode=require",
                "postgres://db/x?password=***&sslmode=require",
            ),
            ("postgres:///x?host=/run/pg", "postgres:///x?host=/run/pg"),
            ("postgres://u:p@w/?#@db/x", "postgres://u:***@db/x"),
            ("postgres://u:pw", "postgres://u:***"),
            ("postgres://[::1]:5432/x", "postgres://[::1]:5432/x"),
            ("redis://:pw@cache:6379/0", "redis://:***@cache:6379/0"),
            ("redis://pw@cache", "redis://***@cache"),
            ("pw", PLACEHOLDER),
        ];
        for (url, expected) in urls {
            assert_eq!(Secret::new(url).redacted_url(), expected, "{url}");
        }
    }

    #[test]
    fn a_secret_is_not_in_its_debug_form() {
        assert!(!format!("{:?}", Some(Secret::new("canary"))).contains("canary"));
    }
}
