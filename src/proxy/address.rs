//! Reads and rewrites the host and port of a URL, without touching the rest of it.

use std::ops::Range;

use anyhow::Context;

/// `host:port` of a URL, with the scheme's port where the URL has none.
pub(crate) fn of(url: &str) -> anyhow::Result<String> {
    let range = range(url).with_context(|| format!("not a URL with a host: {url:?}"))?;
    let authority = url.get(range).unwrap_or_default();
    // The last colon separates the port, unless it belongs to an IPv6 address in brackets.
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'));
    if has_port {
        return Ok(authority.to_owned());
    }
    let port = match url.split(':').next() {
        Some("redis" | "rediss") => 6379,
        Some("postgres" | "postgresql") => 5432,
        _ => 80,
    };
    Ok(format!("{authority}:{port}"))
}

/// The same URL with another host and port.
pub(crate) fn replace(url: &str, address: &str) -> anyhow::Result<String> {
    let range = range(url).with_context(|| format!("not a URL with a host: {url:?}"))?;
    let mut url = url.to_owned();
    url.replace_range(range, address);
    Ok(url)
}

fn range(url: &str) -> Option<Range<usize>> {
    let (scheme, rest) = url.split_once("://")?;
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..authority_end)?;
    let user_end = authority.rfind('@').map_or(0, |at| at + 1);
    let start = scheme.len() + 3;
    let range = start + user_end..start + authority_end;
    (!range.is_empty()).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_are_replaced() {
        let cases = [
            ("redis://h:1/2", "redis://a:9/2", "h:1"),
            ("redis://:p@h", "redis://:p@a:9", "h:6379"),
            (
                "postgres://u:p%40@h/d?x=1:2",
                "postgres://u:p%40@a:9/d?x=1:2",
                "h:5432",
            ),
            ("postgres://u@[::1]:5/d", "postgres://u@a:9/d", "[::1]:5"),
            ("postgres://[::1]/d", "postgres://a:9/d", "[::1]:5432"),
        ];
        for (url, rewritten, address) in cases {
            assert_eq!(replace(url, "a:9").unwrap(), rewritten);
            assert_eq!(of(url).unwrap(), address);
        }
        assert!(of("redis:///0").is_err());
    }
}
