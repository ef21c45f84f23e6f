//! What an answer means: done, refused, to be tried again, or nobody knows. Pure.
//!
//! The server knows best: what its problem document says of `retryable`, `retry_same_key` and
//! `safe_new_key` goes before the table of statuses, in both directions. Three things no server can
//! change: 400, 401, 403, 404 and 422 are never sent again, a redirect that would turn a POST into a
//! GET is never followed, and no retry ever has another key.

use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;

use super::response::Response;

/// Answer: what the key came to.
const IDEMPOTENCY_STATUS: HeaderName = HeaderName::from_static("idempotency-status");
/// Answer: `true` where it repeats a stored one.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What to do after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The operation took effect.
    Done,
    /// The server said no, for good.
    Rejected,
    /// A redirect that can't be followed.
    Redirected,
    /// It is not to be sent again, and it may have taken effect.
    Unknown,
    /// Send it again, with the same key.
    Retry(Class),
}

/// Why a request is sent again: it sets the wait and the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The server failed, or there was no answer.
    Fault,
    /// The server has too much to do.
    Throttled,
    /// The same key is being worked on.
    InFlight,
}

/// What an answer says of whether the operation has taken effect, by this attempt or an earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// It has not, by any attempt; or the answer is the operation's own.
    Settled,
    /// This attempt did nothing; of earlier ones it says nothing.
    Silent,
    /// It may have.
    MayBeDone,
}

/// What an answer says beyond its status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// The problem's member: whether the same request can succeed later.
    pub retryable: Option<bool>,
    /// The problem's member: whether a retry must carry the same key.
    pub retry_same_key: Option<bool>,
    /// The problem's member: whether the operation has not happened under this key.
    pub safe_new_key: Option<bool>,
    /// Done, but its answer can't be given: the problem's code `response-not-replayable`.
    pub is_not_replayable: bool,
    /// What the key came to.
    pub key: KeySign,
    /// Whether it has a `Retry-After` that can be read.
    pub has_hint: bool,
}

/// What the key came to, as far as the answer says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeySign {
    /// The answer does not say.
    #[default]
    Absent,
    /// The operation ran, and this answer is kept.
    Created,
    /// The operation ran before, and this is its answer.
    Replayed,
    /// The operation is running.
    InFlight,
    /// The server does not know.
    Unknown,
}

/// Decides what to do after an answer.
pub fn classify(status: StatusCode, signs: &Signs) -> Next {
    match status.as_u16() {
        200..=299 => return Next::Done,
        300..=399 => return Next::Redirected,
        400 | 401 | 403 | 404 | 422 => return Next::Rejected,
        409 if signs.is_not_replayable => return Next::Done,
        _ => (),
    }
    // A stored answer stays what it is, however often it is asked for.
    let is_stored = signs.key == KeySign::Replayed;
    let by_default = match status.as_u16() {
        408 | 425 | 429 | 500 | 502 | 503 | 504 => true,
        // Other APIs say 409 for conflicts of their own, which no waiting ends.
        409 => signs.key == KeySign::InFlight || signs.has_hint,
        _ => false,
    };
    let again = signs.retryable.unwrap_or(by_default) && signs.retry_same_key != Some(false);
    if again && !is_stored {
        return Next::Retry(class(status));
    }
    if status.is_client_error() || signs.safe_new_key == Some(true) {
        Next::Rejected
    } else {
        Next::Unknown
    }
}

/// What an answer says of whether the operation has taken effect.
pub fn trace(status: StatusCode, signs: &Signs) -> Trace {
    if signs.safe_new_key == Some(true) {
        return Trace::Settled;
    }
    match (classify(status, signs), status.as_u16()) {
        (Next::Done, _) => Trace::Settled,
        // A payment that is declined is the operation's own answer.
        (Next::Rejected, 402) => Trace::Settled,
        (Next::Rejected, _) if matches!(signs.key, KeySign::Created | KeySign::Replayed) => {
            Trace::Settled
        }
        (Next::Rejected, _) => Trace::Silent,
        // 303 is how some servers say that it is done.
        (Next::Redirected, 303) => Trace::MayBeDone,
        (Next::Redirected, _) => Trace::Silent,
        // Refused before anything was begun.
        (Next::Retry(_), 425 | 429) => Trace::Silent,
        (Next::Retry(_) | Next::Unknown, _) => Trace::MayBeDone,
    }
}

fn class(status: StatusCode) -> Class {
    match status.as_u16() {
        409 => Class::InFlight,
        429 | 503 => Class::Throttled,
        _ => Class::Fault,
    }
}

#[derive(Deserialize)]
struct Problem {
    code: Option<String>,
    retryable: Option<bool>,
    retry_same_key: Option<bool>,
    safe_new_key: Option<bool>,
}

impl Signs {
    /// Reads an answer. A problem document that can't be read says nothing.
    pub fn of(response: &Response, has_hint: bool) -> Self {
        let key = KeySign::of(&response.headers);
        let mut signs = Self {
            key,
            has_hint,
            ..Self::default()
        };
        let problem = response.is_problem().then(|| response.json::<Problem>());
        if let Some(Ok(problem)) = problem {
            signs.retryable = problem.retryable;
            signs.retry_same_key = problem.retry_same_key;
            signs.safe_new_key = problem.safe_new_key;
            signs.is_not_replayable = problem.code.as_deref() == Some("response-not-replayable");
        }
        signs
    }
}

impl KeySign {
    fn of(headers: &HeaderMap) -> Self {
        let value = |name: HeaderName| headers.get(name).map(http::HeaderValue::as_bytes);
        match value(IDEMPOTENCY_STATUS) {
            Some(b"created") => Self::Created,
            Some(b"replayed") => Self::Replayed,
            Some(b"in-flight") => Self::InFlight,
            Some(b"unknown") => Self::Unknown,
            _ if value(IDEMPOTENT_REPLAYED) == Some(b"true") => Self::Replayed,
            _ => Self::Absent,
        }
    }

    /// Whether the answer's `Retry-After` is about this key alone, and no other call need heed it.
    pub fn is_about_the_key(self) -> bool {
        matches!(self, Self::InFlight | Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(status: u16, signs: Signs) -> Next {
        classify(StatusCode::from_u16(status).unwrap(), &signs)
    }

    fn traced(status: u16, signs: Signs) -> Trace {
        trace(StatusCode::from_u16(status).unwrap(), &signs)
    }

    fn advised(retryable: bool, retry_same_key: bool, safe_new_key: bool) -> Signs {
        Signs {
            retryable: Some(retryable),
            retry_same_key: Some(retry_same_key),
            safe_new_key: Some(safe_new_key),
            ..Signs::default()
        }
    }

    fn keyed(key: KeySign) -> Signs {
        Signs {
            key,
            ..Signs::default()
        }
    }

    const SILENT: Signs = Signs {
        retryable: None,
        retry_same_key: None,
        safe_new_key: None,
        is_not_replayable: false,
        key: KeySign::Absent,
        has_hint: false,
    };

    #[test]
    fn the_table_of_statuses() {
        let retry = Next::Retry;
        for (status, expected) in [
            (200, Next::Done),
            (201, Next::Done),
            (204, Next::Done),
            (301, Next::Redirected),
            (302, Next::Redirected),
            (303, Next::Redirected),
            (307, Next::Redirected),
            (308, Next::Redirected),
            (400, Next::Rejected),
            (401, Next::Rejected),
            (402, Next::Rejected),
            (403, Next::Rejected),
            (404, Next::Rejected),
            (405, Next::Rejected),
            (408, retry(Class::Fault)),
            (409, Next::Rejected),
            (410, Next::Rejected),
            (413, Next::Rejected),
            (422, Next::Rejected),
            (425, retry(Class::Fault)),
            (429, retry(Class::Throttled)),
            (500, retry(Class::Fault)),
            (501, Next::Unknown),
            (502, retry(Class::Fault)),
            (503, retry(Class::Throttled)),
            (504, retry(Class::Fault)),
            (505, Next::Unknown),
            (599, Next::Unknown),
        ] {
            assert_eq!(next(status, SILENT), expected, "{status}");
        }
    }

    #[test]
    fn the_server_is_obeyed_in_both_directions() {
        let yes = advised(true, true, false);
        assert_eq!(next(423, yes), Next::Retry(Class::Fault));
        assert_eq!(next(507, yes), Next::Retry(Class::Fault));
        assert_eq!(next(409, yes), Next::Retry(Class::InFlight));
        let no = advised(false, true, false);
        assert_eq!(next(500, no), Next::Unknown);
        assert_eq!(next(503, no), Next::Unknown);
        assert_eq!(next(429, no), Next::Rejected);
        assert_eq!(next(408, no), Next::Rejected);
        assert_eq!(next(503, advised(false, false, true)), Next::Rejected);
    }

    #[test]
    fn a_retry_that_must_have_another_key_is_none() {
        assert_eq!(next(503, advised(true, false, false)), Next::Unknown);
        assert_eq!(next(503, advised(true, false, true)), Next::Rejected);
        assert_eq!(next(429, advised(true, false, true)), Next::Rejected);
    }

    #[test]
    fn some_refusals_are_final_whatever_the_server_says() {
        for status in [400, 401, 403, 404, 422] {
            let signs = advised(true, true, false);
            assert_eq!(next(status, signs), Next::Rejected, "{status}");
        }
    }

    #[test]
    fn a_conflict_is_waited_for_only_where_it_is_in_flight() {
        let in_flight = Next::Retry(Class::InFlight);
        assert_eq!(next(409, keyed(KeySign::InFlight)), in_flight);
        let hinted = Signs {
            has_hint: true,
            ..SILENT
        };
        assert_eq!(next(409, hinted), in_flight);
        let done = Signs {
            is_not_replayable: true,
            retryable: Some(false),
            key: KeySign::Replayed,
            ..SILENT
        };
        assert_eq!(next(409, done), Next::Done);
        assert_eq!(traced(409, done), Trace::Settled);
    }

    #[test]
    fn a_stored_failure_is_not_asked_for_again() {
        assert_eq!(next(500, keyed(KeySign::Replayed)), Next::Unknown);
        assert_eq!(next(429, keyed(KeySign::Replayed)), Next::Rejected);
    }

    #[test]
    fn what_an_answer_says_of_the_effect() {
        for (status, signs, expected) in [
            (201, SILENT, Trace::Settled),
            (402, SILENT, Trace::Settled),
            (409, keyed(KeySign::Created), Trace::Settled),
            (422, keyed(KeySign::Replayed), Trace::Settled),
            (400, SILENT, Trace::Silent),
            (401, advised(false, true, false), Trace::Silent),
            (401, advised(false, true, true), Trace::Settled),
            (409, SILENT, Trace::Silent),
            (409, keyed(KeySign::InFlight), Trace::MayBeDone),
            (408, SILENT, Trace::MayBeDone),
            (425, SILENT, Trace::Silent),
            (429, SILENT, Trace::Silent),
            (500, SILENT, Trace::MayBeDone),
            (503, SILENT, Trace::MayBeDone),
            (503, advised(true, true, true), Trace::Settled),
            (501, SILENT, Trace::MayBeDone),
            (302, SILENT, Trace::Silent),
            (303, SILENT, Trace::MayBeDone),
        ] {
            assert_eq!(traced(status, signs), expected, "{status}, {signs:?}");
        }
    }

    #[test]
    fn signs_are_read_from_headers_and_problem() {
        let mut response = Response {
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers: HeaderMap::new(),
            body: bytes::Bytes::from_static(
                br#"{"code": "outcome-unknown", "retryable": true, "retry_same_key": true,
                     "safe_new_key": false, "detail": "come again"}"#,
            ),
        };
        assert_eq!(Signs::of(&response, false), SILENT, "it is no problem yet");
        let mut put = |name: &'static str, value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            response.headers.insert(name, value);
        };
        put("content-type", "application/problem+json; charset=utf-8");
        put("idempotency-status", "unknown");
        let expected = Signs {
            key: KeySign::Unknown,
            has_hint: true,
            ..advised(true, true, false)
        };
        assert_eq!(Signs::of(&response, true), expected);
        response.body = bytes::Bytes::from_static(br#"{"retryable": "no"#);
        assert_eq!(
            Signs::of(&response, true),
            Signs {
                retryable: None,
                retry_same_key: None,
                safe_new_key: None,
                ..expected
            }
        );
        response.headers.remove("idempotency-status");
        let value = http::HeaderValue::from_static("true");
        response.headers.insert("idempotent-replayed", value);
        assert_eq!(Signs::of(&response, true).key, KeySign::Replayed);
    }
}
