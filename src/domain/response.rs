//! The stored answer: status, allow-listed headers and body, byte for byte, or a tombstone.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Headers that describe the body or the resource, and so belong to a replay.
const ALLOWED: &[HeaderName] = &[
    http::header::CONTENT_DISPOSITION,
    http::header::CONTENT_ENCODING,
    http::header::CONTENT_LANGUAGE,
    http::header::CONTENT_TYPE,
    http::header::ETAG,
    http::header::LAST_MODIFIED,
    http::header::LINK,
    http::header::LOCATION,
];

/// The most bytes of header lines that are stored. The ledger's `CHECK` holds the same bound.
const HEADER_BYTES_MAX: usize = 65_536;

/// Headers that belong to one connection, one moment or one session, and may never be allowed.
const NEVER: &[HeaderName] = &[
    http::header::AUTHORIZATION,
    http::header::CONNECTION,
    http::header::CONTENT_LENGTH,
    http::header::COOKIE,
    http::header::DATE,
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    http::header::SET_COOKIE,
    http::header::TE,
    http::header::TRAILER,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
    http::header::WWW_AUTHENTICATE,
];

/// An answer as it goes over the wire: what a replay repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, 201 stays 201.
    pub status: StatusCode,
    /// The allow-listed headers, values of one name in the order they were sent.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
}

/// What a record keeps of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// All of it.
    Whole(Response),
    /// A tombstone: the operation is done and never runs again, but its answer was over a limit.
    /// Storing a part of it would be worse than saying so.
    TooLarge {
        /// The status that the first caller got.
        status: StatusCode,
    },
}

/// Which headers of an answer are stored and replayed.
#[derive(Debug, Clone)]
pub struct HeaderAllowList(Vec<HeaderName>);

/// A header that may never be replayed was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header `{0}` can't be replayed: it belongs to one connection, moment or session")]
pub struct HeaderRefused(HeaderName);

impl Default for HeaderAllowList {
    fn default() -> Self {
        Self(ALLOWED.to_vec())
    }
}

impl HeaderAllowList {
    /// Allows `extra` headers beside the usual ones.
    pub fn with(extra: impl IntoIterator<Item = HeaderName>) -> Result<Self, HeaderRefused> {
        let mut list = Self::default();
        for name in extra {
            if NEVER.contains(&name) || is_hop_by_hop(&name) {
                return Err(HeaderRefused(name));
            }
            list.0.push(name);
        }
        Ok(list)
    }

    /// The allowed headers of `headers`, nothing else.
    pub fn filter(&self, headers: &HeaderMap) -> HeaderMap {
        let kept = headers.iter().filter(|(name, _)| self.0.contains(name));
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// `Keep-Alive` and `Proxy-Connection` have no constants, being older than RFC 9110.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

impl Stored {
    /// Keeps `response` whole, or leaves a tombstone where its body is over `bytes_max`, or its
    /// headers are over 64 KiB.
    pub fn bounded(response: Response, bytes_max: usize) -> Self {
        let n_header_bytes = response.header_lines().len();
        if bytes_max < response.body.len() || HEADER_BYTES_MAX < n_header_bytes {
            Self::TooLarge {
                status: response.status,
            }
        } else {
            Self::Whole(response)
        }
    }

    /// The status that the first caller got.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Whole(response) => response.status,
            Self::TooLarge { status } => *status,
        }
    }
}

impl Response {
    /// The headers as HTTP/1.1 field lines, `name: value\r\n` each: the form that is stored.
    pub fn header_lines(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for (name, value) in &self.headers {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
        lines
    }

    /// Reads field lines back; `None` where they are none.
    pub fn parse_header_lines(lines: &[u8]) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let mut rest = lines;
        while !rest.is_empty() {
            let end = rest.windows(2).position(|it| it == b"\r\n")?;
            let (line, after) = rest.split_at_checked(end)?;
            let colon = line.windows(2).position(|it| it == b": ")?;
            let name = HeaderName::from_bytes(line.get(..colon)?).ok()?;
            headers.append(name, HeaderValue::from_bytes(line.get(colon + 2..)?).ok()?);
            rest = after.get(2..)?;
        }
        Some(headers)
    }
}

/// Whether an answer of this status is stored once execution began.
///
/// 2xx, 3xx (a form's `303 See Other` is a success), and the refusals that the same request would
/// meet again: a declined card is replayed. Not stored are answers about this attempt (400, 401, 403, 408, 413, 415, 425, 429 and their kind),
/// which the next attempt may not meet, and 5xx, after which nobody knows.
/// Source: the IETF draft, section 2.6, and the practice of Stripe, less its replayed 500s.
pub fn is_storable(status: StatusCode) -> bool {
    status.is_success()
        || status.is_redirection()
        || matches!(
            status.as_u16(),
            402 | 404 | 409 | 410 | 412 | 422 | 423 | 424 | 451
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn response(headers: HeaderMap) -> Response {
        Response {
            status: StatusCode::CREATED,
            headers,
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn only_allowed_headers_are_kept() {
        let all = headers(&[
            ("content-type", "application/json"),
            ("location", "/charge/ch_1"),
            ("set-cookie", "session=1"),
            ("date", "Sat, 21 Nov 2026 00:00:00 GMT"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("www-authenticate", "Bearer"),
            ("x-request-id", "r-1"),
        ]);
        let kept = HeaderAllowList::default().filter(&all);
        let expected = headers(&[
            ("content-type", "application/json"),
            ("location", "/charge/ch_1"),
        ]);
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_header_of_one_session_or_connection_cannot_be_allowed() {
        for name in [
            "set-cookie",
            "date",
            "connection",
            "keep-alive",
            "transfer-encoding",
        ] {
            assert!(
                HeaderAllowList::with([name.parse().unwrap()]).is_err(),
                "{name}"
            );
        }
        let list = HeaderAllowList::with(["x-receipt".parse().unwrap()]).unwrap();
        assert_eq!(list.filter(&headers(&[("x-receipt", "1")])).len(), 1);
    }

    #[test]
    fn header_lines_are_read_back_byte_for_byte() {
        let mut sent = headers(&[
            ("link", "</a>; rel=next"),
            ("link", "</b>"),
            ("etag", "\"x: y\""),
        ]);
        sent.append(
            "content-disposition",
            HeaderValue::from_bytes(b"inline; n=\xe4").unwrap(),
        );
        let lines = response(sent.clone()).header_lines();
        assert_eq!(Response::parse_header_lines(&lines), Some(sent));
        assert_eq!(Response::parse_header_lines(b""), Some(HeaderMap::new()));
    }

    #[test]
    fn text_that_is_no_header_line_is_refused() {
        for lines in [
            &b"etag"[..],
            b"etag: 1",
            b": 1\r\n",
            b"a b: 1\r\n",
            b"etag: \x01\r\n",
        ] {
            assert_eq!(Response::parse_header_lines(lines), None);
        }
    }

    #[test]
    fn a_body_over_the_limit_leaves_a_tombstone() {
        let response = response(HeaderMap::new());
        assert_eq!(
            Stored::bounded(response.clone(), 2),
            Stored::Whole(response.clone())
        );
        let tombstone = Stored::TooLarge {
            status: StatusCode::CREATED,
        };
        assert_eq!(Stored::bounded(response, 1), tombstone);
    }

    #[test]
    fn headers_over_the_limit_leave_a_tombstone() {
        let with_link = |n_bytes: usize| {
            let link = "l".repeat(n_bytes - "link: \r\n".len());
            Stored::bounded(response(headers(&[("link", &link)])), 2)
        };
        assert!(matches!(with_link(HEADER_BYTES_MAX), Stored::Whole(_)));
        let tombstone = Stored::TooLarge {
            status: StatusCode::CREATED,
        };
        assert_eq!(with_link(HEADER_BYTES_MAX + 1), tombstone);
    }

    #[test]
    fn answers_about_the_attempt_are_not_stored() {
        for status in [
            400, 401, 403, 405, 408, 413, 415, 425, 429, 500, 502, 503, 504, 101,
        ] {
            assert!(
                !is_storable(StatusCode::from_u16(status).unwrap()),
                "{status}"
            );
        }
        for status in [200, 201, 202, 204, 303, 402, 404, 409, 410, 412, 422] {
            assert!(
                is_storable(StatusCode::from_u16(status).unwrap()),
                "{status}"
            );
        }
    }
}
