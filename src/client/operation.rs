//! An operation: a key that is minted once, bytes that never change, and what became of them.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::stored::Stored;
use super::transcript::Transcript;
use crate::domain::Key;

/// Request: the key of the operation, the same with every attempt.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Request: which attempt of the operation this is, counted from 1.
pub const ONCELY_ATTEMPT: HeaderName = HeaderName::from_static("oncely-attempt");

/// Headers that an operation must not bring: its own, those of the connection, and credentials,
/// which belong to the client, so that they are not stored with the operation and can be renewed.
const REFUSED: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "idempotency-key",
    "oncely-attempt",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// One thing to be done once, however often it is sent.
///
/// The key is minted here and nowhere else: no attempt can have another by accident. Serialise an
/// operation before its first attempt, next to the reason for it. What is read back after a restart
/// has the same key and the same bytes, and counts as one that may have been sent.
///
/// `Debug` prints neither key nor body nor query.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Operation {
    pub(super) key: Uuid,
    pub(super) method: Method,
    pub(super) url: Url,
    /// The path with its variable parts left out: what call sites are told apart by.
    pub(super) route: String,
    /// Without the key, the attempt and the client's own headers.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// How many attempts were begun, as far as this value has seen.
    pub(super) n_attempts: u32,
    /// Whether some attempt may have taken effect, as far as is known.
    pub(super) may_be_done: bool,
    /// Whether somebody above us retries as well.
    pub(super) is_nested: bool,
    pub(super) transcript: Transcript,
}

/// An operation without a body: the last step, [`Draft::json`] or another, freezes it.
#[derive(Debug, Clone)]
#[must_use = "a draft is no operation until it has a body"]
pub struct Draft {
    method: Method,
    url: String,
    route: Option<String>,
    headers: Result<HeaderMap, Invalid>,
    is_nested: bool,
}

/// Why something is no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The URL is none, or not one of `http` or `https`, or holds a user name or a password.
    #[error("the URL is no absolute http or https URL without credentials")]
    Url,
    /// A header has a name or a value that HTTP does not allow, or is one that an operation must
    /// not bring.
    #[error("the header {name:?} can't be part of an operation")]
    Header {
        /// The header's name, as it was given.
        name: String,
    },
    /// The body can't be written as JSON.
    #[error("write the body as JSON: {cause}")]
    Body {
        /// What the serializer said.
        cause: String,
    },
    /// What is read back was written by another version, or is damaged.
    #[error("the stored operation can't be read: {part}")]
    Stored {
        /// The part that can't be read.
        part: &'static str,
    },
}

impl Operation {
    /// Drafts a `POST`.
    pub fn post(url: impl Into<String>) -> Draft {
        Draft::new(Method::POST, url.into())
    }

    /// Drafts a `PUT`.
    pub fn put(url: impl Into<String>) -> Draft {
        Draft::new(Method::PUT, url.into())
    }

    /// Drafts a `PATCH`.
    pub fn patch(url: impl Into<String>) -> Draft {
        Draft::new(Method::PATCH, url.into())
    }

    /// Drafts a `DELETE`.
    pub fn delete(url: impl Into<String>) -> Draft {
        Draft::new(Method::DELETE, url.into())
    }

    /// The key, for whoever has to ask about the operation. Never log it.
    pub fn key(&self) -> Key {
        let text = self.key.hyphenated().to_string();
        Key::from_header([text.as_bytes()]).expect("invariant: a UUID is a key")
    }

    /// When the key was minted, by this machine's clock, to the millisecond.
    pub fn minted_at(&self) -> OffsetDateTime {
        let unix = self.key.get_timestamp().map_or((0, 0), |it| it.to_unix());
        let whole = i64::try_from(unix.0).unwrap_or_default();
        let at = OffsetDateTime::from_unix_timestamp(whole);
        at.unwrap_or(OffsetDateTime::UNIX_EPOCH) + time::Duration::nanoseconds(unix.1.into())
    }

    /// How many attempts were begun.
    pub fn n_attempts(&self) -> u32 {
        self.n_attempts
    }

    /// Whether some attempt may have taken effect, as far as is known.
    pub fn may_be_done(&self) -> bool {
        self.may_be_done
    }

    /// What was tried, and why: each attempt, each wait, each end. It is not serialised.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Says that nobody has sent it, and that nobody else will: for a worker that takes operations
    /// from a queue, where being read back is no sign of a crash.
    pub fn declare_unsent(&mut self) {
        if self.n_attempts == 0 {
            self.may_be_done = false;
        }
    }

    /// The request of attempt `number`: bytes and key are the same for every number.
    pub(super) fn request(&self, number: u32) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        // A URL that was parsed is a URI; the builder of requests reports it where it is none.
        *request.uri_mut() = self.url.as_str().parse().unwrap_or_default();
        *request.headers_mut() = self.headers.clone();
        // A structured-field string, as the IETF's draft has it.
        let key = format!("\"{}\"", self.key.hyphenated());
        let key = HeaderValue::try_from(key).expect("invariant: a UUID in quotes is a value");
        request.headers_mut().insert(IDEMPOTENCY_KEY, key);
        let number = HeaderValue::from(number);
        request.headers_mut().insert(ONCELY_ATTEMPT, number);
        request
    }

    /// Where the call site is: method, host and route.
    pub(super) fn site(&self) -> String {
        let authority = self.url.authority();
        format!("{} {authority}{}", self.method, self.route)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("site", &self.site())
            .field("n_bytes", &self.body.len())
            .field("n_attempts", &self.n_attempts)
            .field("may_be_done", &self.may_be_done)
            .finish_non_exhaustive()
    }
}

impl Draft {
    fn new(method: Method, url: String) -> Self {
        Self {
            method,
            url,
            route: None,
            headers: Ok(HeaderMap::new()),
            is_nested: false,
        }
    }

    /// The route's template, such as `/orders/{id}`. Calls of one method, host and route share a
    /// budget, a breaker and what the server asked for. Without it, parts of the path that hold a
    /// digit, or are longer than 32 bytes, are left out.
    pub fn route(mut self, template: impl Into<String>) -> Self {
        self.route = Some(template.into());
        self
    }

    /// One more header. It is stored with the operation; credentials belong to the client.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let refused = || Invalid::Header {
            name: name.to_owned(),
        };
        if let Ok(headers) = &mut self.headers {
            let name = HeaderName::try_from(name).ok();
            let value = HeaderValue::from_str(value).ok();
            match name.filter(|it| !REFUSED.contains(&it.as_str())).zip(value) {
                Some((name, value)) => drop(headers.append(name, value)),
                None => self.headers = Err(refused()),
            }
        }
        self
    }

    /// Says in which request this operation is made. Where that one is an attempt of somebody who
    /// retries, this operation is sent once: three attempts of three would be nine.
    pub fn nested_in(mut self, request: &HeaderMap) -> Self {
        self.is_nested = request.contains_key(ONCELY_ATTEMPT);
        self
    }

    /// Freezes the operation with a body of JSON, and mints its key.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Result<Operation, Invalid> {
        let body = serde_json::to_vec(body).map_err(|cause| Invalid::Body {
            cause: cause.to_string(),
        })?;
        self.body("application/json", body)
    }

    /// Freezes the operation with a body of any type, and mints its key.
    pub fn body(self, content_type: &str, body: impl Into<Bytes>) -> Result<Operation, Invalid> {
        let value = HeaderValue::from_str(content_type);
        let value = value.map_err(|_cause| Invalid::Header {
            name: CONTENT_TYPE.to_string(),
        })?;
        self.frozen(Some(value), body.into())
    }

    /// Freezes the operation without a body, and mints its key.
    pub fn empty(self) -> Result<Operation, Invalid> {
        self.frozen(None, Bytes::new())
    }

    fn frozen(self, content_type: Option<HeaderValue>, body: Bytes) -> Result<Operation, Invalid> {
        let url = checked(&self.url)?;
        let mut headers = self.headers?;
        if let Some(value) = content_type {
            headers.insert(CONTENT_TYPE, value);
        }
        Ok(Operation {
            key: Uuid::now_v7(),
            method: self.method,
            route: self.route.unwrap_or_else(|| template(&url)),
            url,
            headers,
            body,
            n_attempts: 0,
            may_be_done: false,
            is_nested: self.is_nested,
            transcript: Transcript::default(),
        })
    }
}

/// A URL that can be called, without its fragment.
pub(super) fn checked(url: &str) -> Result<Url, Invalid> {
    let mut url = Url::parse(url).map_err(|_cause| Invalid::Url)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || !url.username().is_empty() || url.password().is_some() {
        return Err(Invalid::Url);
    }
    url.set_fragment(None);
    Ok(url)
}

/// A path without what looks like an identifier.
fn template(url: &Url) -> String {
    const LONG: usize = 32;
    let is_id = |it: &str| LONG < it.len() || it.bytes().any(|it| it.is_ascii_digit());
    let parts = url.path().split('/');
    let parts = parts.map(|it| if is_id(it) { "{}" } else { it });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Operation::post("https://api.example.com/orders/17/refund?secret=1#here")
    }

    #[test]
    fn each_operation_has_a_key_of_its_own_and_keeps_it() {
        let one = draft().json(&[1]).unwrap();
        let other = draft().json(&[1]).unwrap();
        assert!(one.key() != other.key());
        let values = [1, 2, 3].map(|it| one.request(it).headers()[IDEMPOTENCY_KEY].clone());
        let expected = format!("\"{}\"", one.key().as_str());
        assert!(values.iter().all(|it| it == expected.as_str()));
        let numbers = [1, 2, 3].map(|it| one.request(it).headers()[ONCELY_ATTEMPT].clone());
        assert_eq!(numbers, ["1", "2", "3"]);
        assert_eq!(one.request(1).body(), &b"[1]"[..]);
        assert_eq!(one.request(1).headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn the_age_of_a_key_is_read_from_the_key() {
        let operation = draft().empty().unwrap();
        let age = crate::clock::now() - operation.minted_at();
        assert!(age.abs() < time::Duration::minutes(1), "{age}");
    }

    #[test]
    fn a_site_is_method_host_and_route_without_identifiers() {
        let operation = draft().empty().unwrap();
        assert_eq!(operation.site(), "POST api.example.com/orders/{}/refund");
        let named = draft().route("/orders/{id}/refund").empty().unwrap();
        assert_eq!(named.site(), "POST api.example.com/orders/{id}/refund");
        let url = format!("http://127.0.0.1:80/{}/x", "y".repeat(33));
        let operation = Operation::delete(url).empty().unwrap();
        assert_eq!(operation.site(), "DELETE 127.0.0.1/{}/x");
    }

    #[test]
    fn debug_tells_no_secret() {
        let operation = draft().json("4111 1111").unwrap();
        let text = format!("{operation:?}");
        assert!(text.contains("/orders/{}/refund"), "{text}");
        for secret in ["4111", "secret", operation.key().as_str()] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn what_can_t_be_sent_safely_is_refused_when_it_is_drafted() {
        for url in ["", "/orders", "ftp://x/y", "https://me:pw@x/", "data:,x"] {
            let refused = Operation::put(url).empty().unwrap_err();
            assert_eq!(refused, Invalid::Url, "{url}");
        }
        for (name, value) in [
            ("Idempotency-Key", "mine"),
            ("oncely-attempt", "1"),
            ("Authorization", "Bearer x"),
            ("content-length", "5"),
            ("no name", "x"),
            ("x-fine", "no\nvalue"),
        ] {
            let refused = draft().header(name, value).header("x-ok", "1").empty();
            let name = name.to_owned();
            assert_eq!(refused.unwrap_err(), Invalid::Header { name });
        }
        assert!(draft().header("x-ok", "1").empty().is_ok());
    }

    #[test]
    fn an_operation_inside_an_attempt_of_somebody_else_is_nested() {
        let mut outer = HeaderMap::new();
        assert!(!draft().nested_in(&outer).empty().unwrap().is_nested);
        outer.insert(ONCELY_ATTEMPT, HeaderValue::from_static("1"));
        assert!(draft().nested_in(&outer).empty().unwrap().is_nested);
    }
}
