//! JSON bodies that say what is wrong with them.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// A JSON body, parsed and validated. Everything wrong is a 400 `body-invalid` that says what.
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
    if !is_json(content_type) {
        return Err(invalid(
            "Send the body as JSON, with Content-Type: application/json.".to_owned(),
        ));
    }
    let value: T = serde_json::from_slice(bytes)
        .map_err(|cause| invalid(format!("The body is not what this route takes: {cause}.")))?;
    value.validate().map_err(invalid)?;
    Ok(value)
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}
