//! JSON bodies that say what is wrong with them.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::code::Code;
use super::problem::Problem;
use crate::domain::json_type;

/// A JSON object, parsed and validated. Everything wrong is a 400 `body-invalid` that says what.
#[derive(Debug, Clone)]
pub struct JsonBody<T>(pub T);

/// The rules of a body beyond its shape.
pub trait Validate {
    /// Returns what is wrong, naming the member; the value itself stays out of the sentence.
    fn validate(&self) -> Result<(), String>;
}

impl<S, T> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                Problem::new(
                    Code::BodyInvalid,
                    format!("The body can't be read: {rejection}."),
                )
            })?;
        parse(&headers, &bytes).map(Self)
    }
}

/// Parses and validates a body.
pub(super) fn parse<T: DeserializeOwned + Validate>(
    headers: &HeaderMap,
    bytes: &[u8],
) -> Result<T, Problem> {
    let invalid = |detail: String| Problem::new(Code::BodyInvalid, detail);
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    if json_type(content_type).is_none() {
        return Err(invalid(
            "Send the body as JSON, with Content-Type: application/json.".to_owned(),
        ));
    }
    // Derived readers take an array for a struct, its values in the order of the fields: a charge
    // whose meaning hangs on the order of our source.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(invalid("The body must be an object.".to_owned()));
    }
    let value: T =
        serde_json::from_slice(bytes).map_err(|cause| invalid(explain(bytes, &cause)))?;
    value.validate().map_err(invalid)?;
    Ok(value)
}

/// Says what is wrong with a body. It names the member and never repeats its value, which may be
/// a card's number.
fn explain(body: &[u8], cause: &serde_json::Error) -> String {
    if !cause.is_data() {
        return format!("The body is not valid JSON: {cause}.");
    }
    let text = cause.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |it| it.0);
    if text.starts_with("missing field") || text.starts_with("duplicate field") {
        return format!("The body is not what this route takes: {text}.");
    }
    let expected = text.rsplit_once(", expected ").map(|it| it.1);
    let expected = expected.map_or("another value", in_words);
    match member_at(body, offset_of(body, cause)) {
        Some(name) => format!("`{name}` must be {expected}."),
        None => format!("The body must be {expected}."),
    }
}

/// Rust's names of types, as those who write JSON call them.
fn in_words(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" => {
            "a whole number within its range"
        }
        "f32" | "f64" => "a number",
        it if it.starts_with("struct ") => "an object",
        it => it,
    }
}

fn offset_of(body: &[u8], cause: &serde_json::Error) -> usize {
    let lines = body.split_inclusive(|it| *it == b'\n');
    let before = lines.take(cause.line().saturating_sub(1)).map(<[u8]>::len);
    before.sum::<usize>() + cause.column()
}

/// The top-level member whose value was being read at `offset`: the last that begins by then.
fn member_at(body: &[u8], offset: usize) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    let begins = members.into_iter().map(|(name, value)| {
        let start = value
            .get()
            .as_ptr()
            .addr()
            .saturating_sub(body.as_ptr().addr());
        (start, name)
    });
    begins.filter(|it| it.0 <= offset).max().map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Order {
        amount: i64,
        source: String,
        is_test: Option<bool>,
    }

    fn refusal(body: &str) -> String {
        explain(
            body.as_bytes(),
            &serde_json::from_str::<Order>(body).unwrap_err(),
        )
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named_and_its_value_is_not() {
        for (member, body) in [
            (
                "amount",
                r#"{"amount": "4242", "source": "tok", "is_test": true}"#,
            ),
            ("amount", r#"{"source": "tok", "amount": 42.42}"#),
            (
                "amount",
                r#"{"source": "tok", "amount": 4242424242424242424242}"#,
            ),
            (
                "amount",
                "{\n \"source\":\"t\",\n \"amount\":\n [4242, \", expected 4242\"]\n}",
            ),
            ("source", r#"{"amount":1,"source":4242,"is_test":true}"#),
            ("source", r#"{"amount":1,"source":null}"#),
            ("is_test", r#"{"amount":1,"source":"tok","is_test":"4242"}"#),
        ] {
            let refusal = refusal(body);
            assert!(
                refusal.starts_with(&format!("`{member}` must be ")),
                "{refusal}"
            );
            assert!(!refusal.contains("42"), "{refusal}");
        }
    }

    #[test]
    fn what_is_missing_twice_there_or_no_object_is_said() {
        for (said, body) in [
            ("missing field `source`", r#"{"amount":1}"#),
            ("duplicate field `amount`", r#"{"amount":1,"amount":1}"#),
            ("must be an object", "4242"),
            ("not valid JSON", "{"),
            ("not valid JSON", ""),
        ] {
            let refusal = refusal(body);
            assert!(refusal.contains(said), "{refusal}");
        }
    }
}
