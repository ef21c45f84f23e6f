//! One text for all JSON bodies that say the same: members sorted, white space gone.
//!
//! Unlike RFC 8785, a number keeps the very characters it was sent with. RFC 8785 goes through a
//! 64-bit float and writes 9007199254740993 as …992: two amounts, one fingerprint, and the second
//! payment is answered with the first one's receipt. `1.0` and `1.00` are therefore different
//! requests here; that costs a 422 where a client rewrites its numbers between attempts, and
//! never a wrong answer. A member that stands twice is refused, because readers disagree on
//! which one counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep arrays and objects may nest. Each level is scanned once more, so it bounds the work.
const DEPTH_MAX: usize = 32;

/// Why a JSON body has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The text is not JSON, or an object in it has the same member twice.
    #[error("the body is not valid JSON: {0}")]
    Invalid(#[source] serde_json::Error),
    /// Arrays and objects nest deeper than 32 levels.
    #[error("the body nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// Writes the canonical form of `body`: no white space, members sorted by their decoded name,
/// strings with the fewest escapes, numbers exactly as they came.
pub fn canonicalize(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let value: &RawValue = serde_json::from_slice(body).map_err(BodyError::Invalid)?;
    let mut out = Vec::with_capacity(body.len());
    write(value, DEPTH_MAX, &mut out)?;
    Ok(out)
}

fn write(value: &RawValue, depth: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => write_object(text, depth.checked_sub(1).ok_or(BodyError::TooDeep)?, out),
        Some(b'[') => write_array(text, depth.checked_sub(1).ok_or(BodyError::TooDeep)?, out),
        Some(b'"') => write_string(&parse::<String>(text)?, out),
        _ => {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
}

fn write_object(text: &str, depth: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let Members(members) = parse(text)?;
    out.push(b'{');
    for (idx, (name, value)) in members.iter().enumerate() {
        if 0 < idx {
            out.push(b',');
        }
        write_string(name, out)?;
        out.push(b':');
        write(value, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_array(text: &str, depth: usize, out: &mut Vec<u8>) -> Result<(), BodyError> {
    out.push(b'[');
    for (idx, value) in parse::<Vec<&RawValue>>(text)?.into_iter().enumerate() {
        if 0 < idx {
            out.push(b',');
        }
        write(value, depth, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_string(text: &str, out: &mut Vec<u8>) -> Result<(), BodyError> {
    serde_json::to_writer(out, text).map_err(BodyError::Invalid)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, BodyError> {
    serde_json::from_str(text).map_err(BodyError::Invalid)
}

/// An object's members by decoded name, each once.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if members.insert(name, value).is_some() {
                // The name is the caller's data and stays out of the message.
                return Err(serde::de::Error::custom(
                    "an object has the same member twice",
                ));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(body: &str) -> String {
        String::from_utf8(canonicalize(body.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn order_and_white_space_do_not_matter() {
        let one = r#"{"amount":4200,"to":{"b":[1,2],"a":null}}"#;
        let other = "{ \"to\" : {\"a\":null,\n\"b\":[1, 2]},\t\"amount\":4200 }";
        assert_eq!(canonical(one), canonical(other));
        assert_eq!(
            canonical(one),
            r#"{"amount":4200,"to":{"a":null,"b":[1,2]}}"#
        );
    }

    #[test]
    fn numbers_keep_their_characters() {
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("1.0", "1.00"),
            ("1e2", "100"),
            ("1e2", "1E2"),
            ("0", "-0"),
        ] {
            assert_eq!(canonical(one), one);
            assert_ne!(canonical(one), canonical(other));
        }
    }

    #[test]
    fn order_in_arrays_matters() {
        assert_ne!(canonical("[1,2]"), canonical("[2,1]"));
    }

    #[test]
    fn escapes_of_one_string_are_one_text() {
        assert_eq!(canonical(r#""\u0061\/""#), canonical(r#""a/""#));
        assert_eq!(canonical(r#"{"\u0061":1}"#), canonical(r#"{"a":1}"#));
    }

    #[test]
    fn unusual_member_names_are_only_names() {
        assert_ne!(canonical(r#"{"__proto__":1}"#), canonical("{}"));
        assert_ne!(canonical(r#"{"":1}"#), canonical("{}"));
    }

    #[test]
    fn wrong_bodies_are_refused() {
        for body in [
            "",
            "{",
            "{\"a\":1}x",
            "nul",
            "01",
            "'a'",
            "[1,]",
            r#""\ud800""#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            "\u{feff}{}",
        ] {
            assert!(
                matches!(canonicalize(body.as_bytes()), Err(BodyError::Invalid(_))),
                "{body}"
            );
        }
        assert!(matches!(
            canonicalize(b"\"\xff\""),
            Err(BodyError::Invalid(_))
        ));
    }

    #[test]
    fn deep_bodies_are_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(canonical(&nested(DEPTH_MAX)), nested(DEPTH_MAX));
        let refused = canonicalize(nested(DEPTH_MAX + 1).as_bytes());
        assert!(matches!(refused, Err(BodyError::TooDeep)));
        assert!(canonicalize("[".repeat(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_text_has_one_canonical_form_or_none(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(once) = canonicalize(&body) {
                prop_assert_eq!(canonicalize(&once).unwrap(), once);
            }
        }

        #[test]
        fn the_canonical_form_means_the_same(body in "[\\[\\]{}\",:a0-1 ]{0,40}") {
            let value = serde_json::from_str::<serde_json::Value>(&body);
            if let (Ok(once), Ok(value)) = (canonicalize(body.as_bytes()), value) {
                prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&once).unwrap(), value);
            }
        }
    }
}
