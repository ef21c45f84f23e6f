//! `Retry-After`, in both forms (RFC 9110, 10.2.3), and never a surprise from it.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use time::OffsetDateTime;

/// A server that asks for more is wrong, or wants to be rid of us; the caller's own backoff knows
/// better than to come back tomorrow.
const HINT_MAX: Duration = Duration::from_hours(24);

/// How long the server asks to wait, at least 1 s and at most 24 h.
///
/// A date counts from the answer's own `Date`, so that two clocks which disagree do no harm; `now`
/// stands in where there is none. What is no wait (a date in the past, 0, a negative or absurd
/// number, two headers, anything else) is `None`, and the caller falls back to its own backoff.
pub fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let value = single(headers, RETRY_AFTER)?;
    let wait = if value.bytes().all(|it| it.is_ascii_digit()) {
        Duration::from_secs(value.parse().ok()?)
    } else {
        let until = httpdate::parse_http_date(value).ok()?;
        let since = single(headers, DATE).and_then(|it| httpdate::parse_http_date(it).ok());
        until
            .duration_since(since.unwrap_or_else(|| SystemTime::from(now)))
            .ok()?
    };
    let is_sound = !wait.is_zero() && wait <= HINT_MAX;
    is_sound.then_some(wait)
}

/// The only value of a header, trimmed.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    Some(value.to_str().ok()?.trim()).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    /// Three minutes off the servers' clocks below.
    const NOW: OffsetDateTime = datetime!(2026-11-22 03:10:00 UTC);

    fn read(hints: &[&str], date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in hints {
            headers.append(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        }
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        let wait = retry_after(&headers, NOW)?;
        assert_eq!(wait.subsec_nanos(), 0);
        Some(wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_as_they_are() {
        for (value, seconds) in [("2", 2), (" 5 ", 5), ("007", 7), ("86400", 86_400)] {
            assert_eq!(read(&[value], None), Some(seconds), "{value}");
        }
    }

    #[test]
    fn a_date_counts_from_the_server_s_own_date() {
        let date = Some("Sun, 22 Nov 2026 02:00:00 GMT");
        for value in [
            "Sun, 22 Nov 2026 02:00:03 GMT",
            "Sunday, 22-Nov-26 02:00:03 GMT",
            "Sun Nov 22 02:00:03 2026",
        ] {
            assert_eq!(read(&[value], date), Some(3), "{value}");
        }
    }

    #[test]
    fn without_a_date_of_the_server_s_ours_stands_in() {
        for date in [None, Some("yesterday"), Some("")] {
            let value = "Sun, 22 Nov 2026 03:10:04 GMT";
            assert_eq!(read(&[value], date), Some(4), "{date:?}");
        }
    }

    #[test]
    fn what_is_no_wait_is_ignored() {
        let date = Some("Sun, 22 Nov 2026 02:00:00 GMT");
        for value in [
            "0",
            "-5",
            "+5",
            "1.5",
            "86401",
            "99999999999999999999999999",
            "",
            "soon",
            "1, 2",
            "Sun, 22 Nov 2026 02:00:00 GMT",
            "Sun, 22 Nov 2026 01:59:59 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Sun, 99 Nov 2026 02:00:03 GMT",
        ] {
            assert_eq!(read(&[value], date), None, "{value:?}");
        }
        assert_eq!(read(&[], date), None);
    }

    #[test]
    fn two_headers_are_ignored_even_where_they_agree() {
        assert_eq!(read(&["2", "2"], None), None);
        assert_eq!(read(&["2", "9"], None), None);
    }

    #[test]
    fn bytes_outside_ascii_are_ignored() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(b"\xff2").unwrap());
        assert_eq!(retry_after(&headers, NOW), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(value in "[ -~]{0,40}", date in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(&value).unwrap());
            headers.insert(DATE, HeaderValue::from_str(&date).unwrap());
            let wait = retry_after(&headers, NOW);
            prop_assert!(wait.is_none_or(|it| it <= HINT_MAX && it >= Duration::from_secs(1)));
        }
    }
}
