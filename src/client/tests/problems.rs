//! Problem documents from servers that nobody here knows: whatever they hold, no rule bends.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;

use crate::client::Response;
use crate::client::classify::{KeySign, Next, Signs, Trace, classify, trace};

/// Statuses that are never sent again, whatever a problem says.
const FINAL: [u16; 5] = [400, 401, 403, 404, 422];

fn answer(status: u16, content_type: &str, key: Option<&str>, body: Vec<u8>) -> Option<Response> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).ok()?);
    if let Some(key) = key {
        let name = HeaderName::from_static("idempotency-status");
        headers.insert(name, HeaderValue::from_str(key).ok()?);
    }
    Some(Response {
        status: StatusCode::from_u16(status).ok()?,
        headers,
        body: Bytes::from(body),
    })
}

/// A member's value: one that it should have, or something else.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        "[-0-9\"\\[\\]{}a-z]{0,8}",
    ]
}

proptest! {
    #[test]
    fn no_bytes_are_a_problem_by_accident(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        content_type in "[ -~]{0,40}",
        status in 200_u16..600,
        has_hint: bool,
    ) {
        let Some(response) = answer(status, &content_type, None, body) else { return Ok(()) };
        let signs = Signs::of(&response, has_hint);
        prop_assert_eq!((signs.key, signs.has_hint), (KeySign::Absent, has_hint));
        if !response.is_problem() {
            prop_assert_eq!(signs, Signs { has_hint, ..Signs::default() });
        }
    }

    #[test]
    fn no_problem_bends_a_rule(
        (retryable, same, new) in (member(), member(), member()),
        code in "[a-z-]{0,30}",
        key in prop_oneof![Just(None), "[a-z-]{0,12}".prop_map(Some)],
        status in 200_u16..600,
        has_hint: bool,
    ) {
        let body = format!(
            r#"{{"code": "{code}", "retryable": {retryable}, "retry_same_key": {same}, "safe_new_key": {new}}}"#
        );
        let content_type = "application/problem+json";
        let Some(response) = answer(status, content_type, key.as_deref(), body.into_bytes()) else {
            return Ok(());
        };
        let signs = Signs::of(&response, has_hint);
        let next = classify(response.status, &signs);
        if FINAL.contains(&status) {
            prop_assert_eq!(next, Next::Rejected);
        }
        if (200..300).contains(&status) {
            prop_assert_eq!(next, Next::Done);
        }
        if signs.retry_same_key == Some(false) || signs.key == KeySign::Replayed {
            prop_assert!(!matches!(next, Next::Retry(_)));
        }
        // Nobody is told that nothing was done where nothing says so.
        if trace(response.status, &signs) == Trace::Settled {
            let is_own = matches!(signs.key, KeySign::Created | KeySign::Replayed);
            let says_so = signs.safe_new_key == Some(true) || is_own || next == Next::Done;
            prop_assert!(says_so || status == 402);
        }
    }

    #[test]
    fn what_a_problem_says_is_read_as_it_stands(
        (retryable, same, new) in (any::<bool>(), any::<bool>(), any::<bool>()),
        status in 400_u16..600,
    ) {
        let body = serde_json::json!({
            "retryable": retryable, "retry_same_key": same, "safe_new_key": new, "more": [1],
        });
        let body = body.to_string().into_bytes();
        let response = answer(status, "application/problem+json", Some("unknown"), body).unwrap();
        let expected = Signs {
            retryable: Some(retryable),
            retry_same_key: Some(same),
            safe_new_key: Some(new),
            key: KeySign::Unknown,
            ..Signs::default()
        };
        prop_assert_eq!(Signs::of(&response, false), expected);
    }
}
