//! The client's idempotency key: one header, quoted or bare, both forms one key.
//!
//! The header is a structured-field string (IETF draft-ietf-httpapi-idempotency-key-header-07,
//! section 2.1, and RFC 9651), but most callers send the bare text, so both are taken.

use std::fmt;

/// The longest key that is taken, in bytes of the key itself, quotes and escapes not counted.
const BYTES_MAX: usize = 255;

/// A valid idempotency key: 1 to 255 bytes of printable ASCII. Case matters.
///
/// `Debug` prints no part of it, because a key may hold an e-mail address or a card number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

/// Why a key was refused. Each message names the next step, and none repeats the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no `Idempotency-Key` header.
    #[error(
        "the Idempotency-Key header is missing; send one key per operation, for example a UUID"
    )]
    Missing,
    /// The header is there more than once, or holds a comma-separated list.
    #[error("more than one Idempotency-Key was sent; send one header with one key")]
    Many,
    /// The key has no bytes.
    #[error("the Idempotency-Key is empty; send 1 to 255 printable ASCII characters")]
    Empty,
    /// The key is longer than 255 bytes.
    #[error("the Idempotency-Key is longer than 255 characters; send a UUID, for example")]
    TooLong,
    /// The key holds a control character, or one outside ASCII.
    #[error("the Idempotency-Key holds a character that is not printable ASCII")]
    NotPrintable,
    /// The value begins with a quote but is no structured-field string.
    #[error(
        "the Idempotency-Key begins with a quote but is no quoted string (RFC 9651); \
         send \"key\" in quotes or the bare key"
    )]
    Malformed,
}

impl Key {
    /// Takes the key from all values of the `Idempotency-Key` header, in the order received.
    pub fn from_header<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, KeyError> {
        let mut values = values.into_iter();
        let value = values.next().ok_or(KeyError::Missing)?;
        if values.next().is_some() {
            return Err(KeyError::Many);
        }
        let value = value.trim_ascii();
        if value.starts_with(b"\"") {
            Self::quoted(value)
        } else {
            Self::bare(value)
        }
    }

    /// The key's own text, without quotes. Never log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn quoted(value: &[u8]) -> Result<Self, KeyError> {
        if !value.iter().all(|it| is_printable(*it)) {
            return Err(KeyError::NotPrintable);
        }
        let item = sfv::Parser::new(value)
            .parse::<sfv::Item>()
            .map_err(|_cause| {
                // `"a", "b"` is what a proxy makes of two header lines.
                if value.windows(2).any(|it| it == b"\",") {
                    KeyError::Many
                } else {
                    KeyError::Malformed
                }
            })?;
        let text = item.bare_item.as_string().ok_or(KeyError::Malformed)?;
        Self::checked(text.as_str())
    }

    fn bare(value: &[u8]) -> Result<Self, KeyError> {
        if value.contains(&b',') {
            return Err(KeyError::Many);
        }
        let text = std::str::from_utf8(value).map_err(|_cause| KeyError::NotPrintable)?;
        Self::checked(text)
    }

    fn checked(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if !text.bytes().all(is_printable) {
            return Err(KeyError::NotPrintable);
        }
        if BYTES_MAX < text.len() {
            return Err(KeyError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

fn is_printable(byte: u8) -> bool {
    (0x20..=0x7e).contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(value: &[u8]) -> Result<String, KeyError> {
        Key::from_header([value]).map(|it| it.0)
    }

    #[test]
    fn quoted_and_bare_are_one_key() {
        assert_eq!(parse(b"8e03978e-40d5"), Ok("8e03978e-40d5".to_owned()));
        assert_eq!(parse(b"\"8e03978e-40d5\""), Ok("8e03978e-40d5".to_owned()));
        assert_eq!(
            parse(b"  \"8e03978e-40d5\" "),
            Ok("8e03978e-40d5".to_owned())
        );
        assert_eq!(parse(br#""say \"hi\"""#), Ok(r#"say "hi""#.to_owned()));
        assert_eq!(
            parse(b"\"k\";version=1"),
            Ok("k".to_owned()),
            "parameters are ignored"
        );
    }

    #[test]
    fn keys_differ_by_case() {
        assert_ne!(parse(b"abc"), parse(b"ABC"));
    }

    #[test]
    fn wrong_keys_are_refused_each_with_its_reason() {
        let none: [&[u8]; 0] = [];
        assert_eq!(Key::from_header(none).unwrap_err(), KeyError::Missing);
        assert_eq!(
            Key::from_header([&b"a"[..], b"a"]).unwrap_err(),
            KeyError::Many
        );
        let longest = [b'k'; 255];
        let too_long = [b'k'; 256];
        assert!(parse(&longest).is_ok());
        let refused: &[(&[u8], KeyError)] = &[
            (b"", KeyError::Empty),
            (b"   ", KeyError::Empty),
            (b"\"\"", KeyError::Empty),
            (&too_long, KeyError::TooLong),
            (b"a\0b", KeyError::NotPrintable),
            (b"\"a\0b\"", KeyError::NotPrintable),
            (b"a\tb", KeyError::NotPrintable),
            ("schlüssel".as_bytes(), KeyError::NotPrintable),
            ("\"schlüssel\"".as_bytes(), KeyError::NotPrintable),
            (b"\xed\xa0\x80", KeyError::NotPrintable),
            (b"a, b", KeyError::Many),
            (b"\"a\", \"b\"", KeyError::Many),
            (b"\"a", KeyError::Malformed),
            (b"\"a\"b", KeyError::Malformed),
        ];
        for (value, reason) in refused {
            assert_eq!(
                parse(value),
                Err(*reason),
                "{:?}",
                String::from_utf8_lossy(value)
            );
        }
    }

    #[test]
    fn debug_shows_no_part_of_the_key() {
        let key = Key::from_header([&b"4242424242424242"[..]]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_valid_key_or_a_reason(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(key) = parse(&value) {
                prop_assert!((1..=255).contains(&key.len()));
                prop_assert!(key.bytes().all(is_printable));
            }
        }

        #[test]
        fn quoting_never_changes_the_key(key in "[ -+\\--~]{1,255}") {
            prop_assume!(key.trim() == key && !key.starts_with('"'));
            let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(parse(quoted.as_bytes()), parse(key.as_bytes()));
        }
    }
}
