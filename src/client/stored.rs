//! The form in which an operation outlives its process.

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::operation::{Invalid, Operation, checked};
use super::transcript::Transcript;

/// A version that does not know this number refuses to read it, rather than to guess.
const VERSION: u8 = 1;

/// An operation as it is written, in any format of serde's.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    version: u8,
    key: String,
    method: String,
    url: String,
    route: String,
    headers: Vec<(String, String)>,
    body: Body,
    n_attempts: u32,
    is_nested: bool,
}

/// Text stays readable in JSON.
#[derive(Serialize, Deserialize)]
enum Body {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Operation> for Stored {
    fn from(operation: Operation) -> Self {
        let headers = operation.headers.iter().map(|(name, value)| {
            // Values were made from text.
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into_owned())
        });
        Self {
            version: VERSION,
            key: operation.key.hyphenated().to_string(),
            method: operation.method.to_string(),
            url: operation.url.to_string(),
            route: operation.route,
            headers: headers.collect(),
            body: match String::from_utf8(operation.body.to_vec()) {
                Ok(text) => Body::Text(text),
                Err(no_text) => Body::Bytes(no_text.into_bytes()),
            },
            n_attempts: operation.n_attempts,
            is_nested: operation.is_nested,
        }
    }
}

impl TryFrom<Stored> for Operation {
    type Error = Invalid;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let unread = |part| move || Invalid::Stored { part };
        if stored.version != VERSION {
            return Err(unread("version")());
        }
        let key = Uuid::parse_str(&stored.key).ok();
        let key = key.filter(|it| it.get_version_num() == 7);
        let mut headers = HeaderMap::new();
        for (name, value) in &stored.headers {
            let name = HeaderName::try_from(name).ok();
            let value = HeaderValue::from_str(value).ok();
            let (name, value) = name.zip(value).ok_or_else(unread("headers"))?;
            headers.append(name, value);
        }
        Ok(Self {
            key: key.ok_or_else(unread("key"))?,
            method: Method::from_bytes(stored.method.as_bytes())
                .ok()
                .ok_or_else(unread("method"))?,
            url: checked(&stored.url)?,
            route: stored.route,
            headers,
            body: match stored.body {
                Body::Text(text) => Bytes::from(text),
                Body::Bytes(bytes) => Bytes::from(bytes),
            },
            n_attempts: stored.n_attempts,
            // Whoever wrote it may have sent it before it died.
            may_be_done: true,
            is_nested: stored.is_nested,
            transcript: Transcript::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(one: &Operation, other: &Operation) {
        let (one, other) = (one.request(1), other.request(1));
        assert_eq!(one.headers(), other.headers());
        assert_eq!((one.method(), one.uri()), (other.method(), other.uri()));
        assert_eq!(one.body(), other.body());
    }

    #[test]
    fn what_is_read_back_has_the_same_key_and_bytes_and_may_be_done() {
        for body in [&b"{\"amount\": 4200}"[..], b"\xff\x00", b""] {
            let draft = Operation::patch("http://localhost/orders/{}?x=%20").header("x-a", "b c");
            let operation = draft.body("text/plain", body).unwrap();
            assert!(!operation.may_be_done());
            let json = serde_json::to_string(&operation).unwrap();
            let mut from_json: Operation = serde_json::from_str(&json).unwrap();
            same(&operation, &from_json);
            let bytes = postcard::to_stdvec(&operation).unwrap();
            let from_bytes: Operation = postcard::from_bytes(&bytes).unwrap();
            same(&operation, &from_bytes);
            assert!(from_json.may_be_done() && from_bytes.may_be_done());
            from_json.declare_unsent();
            assert!(!from_json.may_be_done());
        }
    }

    #[test]
    fn one_that_was_tried_can_t_be_declared_unsent() {
        let mut operation = Operation::post("http://localhost/").empty().unwrap();
        (operation.n_attempts, operation.may_be_done) = (1, true);
        operation.declare_unsent();
        assert!(operation.may_be_done());
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let operation = Operation::post("http://localhost/").json("x").unwrap();
        let whole = serde_json::to_value(&operation).unwrap();
        for (member, value) in [
            ("version", serde_json::json!(2)),
            ("key", serde_json::json!("k-1")),
            (
                "key",
                serde_json::json!("6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
            ),
            ("method", serde_json::json!("P O")),
            ("url", serde_json::json!("nowhere")),
            ("headers", serde_json::json!([["a b", "c"]])),
        ] {
            let mut damaged = whole.clone();
            damaged[member] = value;
            assert!(
                serde_json::from_value::<Operation>(damaged).is_err(),
                "{member}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_body_is_changed(body: Vec<u8>) {
            let draft = Operation::post("http://localhost/");
            let operation = draft.body("a/b", body).unwrap();
            let json = serde_json::to_vec(&operation).unwrap();
            same(&operation, &serde_json::from_slice(&json).unwrap());
        }
    }
}
