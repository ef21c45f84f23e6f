//! What a caller prefers (RFC 7240): to wait for an answer.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::store::Patience;

/// Request: how the caller would like to be served.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Answer: which of that was done.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the caller is ready to wait: `Prefer: wait=10`. The first such preference counts, and one
/// that makes no sense is ignored, as the RFC has it.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(PREFER).iter();
    let lines = lines.filter_map(|it| it.to_str().ok());
    let mut preferences = lines.flat_map(|line| split(line, ','));
    let seconds = preferences.find_map(|preference| {
        // What follows a semicolon are parameters, and `wait` has none.
        let (name, value) = split(preference, ';').next()?.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| unquoted(value.trim()))
    })?;
    let is_number = !seconds.is_empty() && seconds.bytes().all(|it| it.is_ascii_digit());
    // So many digits that they are no number of ours are still a long time.
    is_number.then(|| Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)))
}

/// Says so in an answer that was waited for.
pub(super) fn applied(mut response: Response, patience: &Patience) -> Response {
    if patience.has_waited() {
        let limit = patience.limit();
        let seconds = limit.as_secs() + u64::from(0 < limit.subsec_nanos());
        let value = HeaderValue::try_from(format!("wait={seconds}"));
        let value = value.expect("invariant: digits are a header's value");
        response.headers_mut().insert(PREFERENCE_APPLIED, value);
    }
    response
}

/// The parts of a line between separators that stand outside of quotes.
fn split(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    line.split(move |it| {
        let is_literal = std::mem::take(&mut is_escaped);
        match it {
            '"' if !is_literal => is_quoted = !is_quoted,
            '\\' if is_quoted && !is_literal => is_escaped = true,
            _ => (),
        }
        it == separator && !is_quoted
    })
}

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_of(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        wait(&headers).map(|it| it.as_secs())
    }

    #[test]
    fn a_wait_is_found_wherever_it_stands() {
        for lines in [
            &["wait=10"][..],
            &["Wait = 10"],
            &["respond-async, wait=10"],
            &["respond-async; a=\"b, wait=3\", wait=10;c=d"],
            &["a=\"\\\", wait=3\", wait=10"],
            &["return=minimal", "wait=\"10\""],
            &["wait=10, wait=20", "wait=30"],
            &[", ,wait=10"],
            &["wait=010"],
        ] {
            assert_eq!(wait_of(lines), Some(10), "{lines:?}");
        }
        assert_eq!(wait_of(&["wait=0"]), Some(0));
        assert_eq!(wait_of(&["wait=99999999999999999999999"]), Some(u64::MAX));
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        for lines in [
            &[][..],
            &[""],
            &["respond-async"],
            &["wait"],
            &["wait="],
            &["wait=-1"],
            &["wait=+1"],
            &["wait=1.5"],
            &["wait=ten"],
            &["wait=1 0"],
            &["wait=ten, wait=10"],
            &["waits=10"],
            &["a=\"wait=10"],
            &["a; wait=10"],
            &["\u{fc}, wait=10"],
        ] {
            assert_eq!(wait_of(lines), None, "{lines:?}");
        }
    }
}
