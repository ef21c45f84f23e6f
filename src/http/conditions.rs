//! Conditional requests (RFC 9110, section 13): `If-Match` and `If-None-Match` against an `ETag`.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};

/// What a request asks of the resource before it is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// The value of one of the two headers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    /// `*`: whichever there is.
    Any,
    /// Entity tags, as they were sent.
    These(Vec<String>),
    /// Something else. Whoever sent it wanted some protection, so it never holds.
    Nonsense,
}

impl Conditions {
    /// Reads them from a request.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: Tags::of(headers, &IF_MATCH),
            if_none_match: Tags::of(headers, &IF_NONE_MATCH),
        }
    }

    /// Whether a write may go on: `current` is the resource's strong tag with its quotes, `None` where
    /// there is no such resource.
    pub fn hold(&self, current: Option<&str>) -> bool {
        let matches = match (&self.if_match, current) {
            (None, _) | (Some(Tags::Any), Some(_)) => true,
            // A weak tag never matches here: it does not say that the bytes are the same.
            (Some(Tags::These(tags)), Some(current)) => tags.iter().any(|it| it == current),
            (Some(_), _) => false,
        };
        let is_other = match (&self.if_none_match, current) {
            (None, _) | (Some(Tags::Any | Tags::These(_)), None) => true,
            (Some(Tags::These(tags)), Some(current)) => !has(tags, current),
            (Some(Tags::Any), Some(_)) | (Some(Tags::Nonsense), _) => false,
        };
        matches && is_other
    }

    /// Whether a write is refused even where it would change nothing: where `If-None-Match` does not hold.
    pub fn refuse_what_is_there(&self, current: Option<&str>) -> bool {
        let alone = Self {
            if_match: None,
            if_none_match: self.if_none_match.clone(),
        };
        !alone.hold(current)
    }

    /// Whether a reader has the representation of this tag already, so that 304 will do.
    pub fn is_known(&self, current: &str) -> bool {
        match &self.if_none_match {
            Some(Tags::Any) => true,
            Some(Tags::These(tags)) => has(tags, current),
            Some(Tags::Nonsense) | None => false,
        }
    }
}

/// Whether one of `tags` is `current`, be it a weak one.
fn has(tags: &[String], current: &str) -> bool {
    let mut tags = tags.iter().map(|it| it.strip_prefix("W/").unwrap_or(it));
    tags.any(|it| it == current)
}

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).iter().peekable();
        lines.peek()?;
        let lines: Result<Vec<_>, _> = lines.map(|it| it.to_str()).collect();
        let read = lines.ok().and_then(|it| Self::parse(&it.join(",")));
        Some(read.unwrap_or(Self::Nonsense))
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = text.trim_matches([' ', '\t', ',']);
        while !rest.is_empty() {
            let opaque = rest.strip_prefix("W/").unwrap_or(rest);
            let (_, after) = opaque.strip_prefix('"')?.split_once('"')?;
            let (tag, after) = rest.split_at_checked(rest.len() - after.len())?;
            tags.push(tag.to_owned());
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() {
                rest = rest.strip_prefix(',')?.trim_start_matches([' ', '\t', ',']);
            }
        }
        Some(Self::These(tags)).filter(|it| *it != Self::These(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(lines: &[(&str, &str)]) -> Conditions {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        Conditions::of(&map)
    }

    #[test]
    fn a_write_goes_on_where_its_conditions_hold() {
        let (there, gone) = (Some("\"2\""), None);
        for (lines, current, expected) in [
            (&[][..], there, true),
            (&[], gone, true),
            (&[("if-match", "\"2\"")], there, true),
            (&[("if-match", "\"1\", \"2\"")], there, true),
            (&[("if-match", "\"1\""), ("if-match", "\"2\"")], there, true),
            (&[("if-match", "\"a,b\" ,, \"2\"")], there, true),
            (&[("if-match", "\"1\"")], there, false),
            (&[("if-match", "W/\"2\"")], there, false),
            (&[("if-match", "\"2\"")], gone, false),
            (&[("if-match", "*")], there, true),
            (&[("if-match", "*")], gone, false),
            (&[("if-none-match", "*")], gone, true),
            (&[("if-none-match", "*")], there, false),
            (&[("if-none-match", "\"1\"")], there, true),
            (&[("if-none-match", "W/\"2\"")], there, false),
            (
                &[("if-match", "\"2\""), ("if-none-match", "*")],
                there,
                false,
            ),
        ] {
            assert_eq!(conditions(lines).hold(current), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_condition_never_holds() {
        for wrong in [
            "",
            "2",
            "\"2",
            "\"2\" \"3\"",
            "w/\"2\"",
            "\"2\";",
            ",",
            "*, \"2\"",
        ] {
            for name in ["if-match", "if-none-match"] {
                for current in [Some("\"2\""), None] {
                    let conditions = conditions(&[(name, wrong)]);
                    assert!(!conditions.hold(current), "{name}: {wrong}");
                    assert!(!conditions.is_known("\"2\""), "{name}: {wrong}");
                }
            }
        }
    }

    #[test]
    fn a_reader_is_told_that_it_has_it_already() {
        for (value, expected) in [
            ("\"2\"", true),
            ("W/\"2\"", true),
            ("*", true),
            ("\"1\"", false),
        ] {
            let conditions = conditions(&[("if-none-match", value)]);
            assert_eq!(conditions.is_known("\"2\""), expected, "{value}");
        }
    }
}
