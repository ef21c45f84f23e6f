//! Durations as people write them: `250ms`, `5s`, `72h`.

use std::fmt;
use std::time::Duration;

use serde::de::{Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// The units that are shown, largest first. Days are left out: `72h` is how retentions are said.
const UNITS: [(u64, &str); 3] = [(3600, "h"), (60, "m"), (1, "s")];

/// Writes a duration in the largest unit that holds it without a rest.
pub(super) fn show(value: Duration) -> String {
    let seconds = value.as_secs();
    if value.subsec_nanos() == 0 && seconds != 0 {
        let fits = UNITS.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
        let (unit, name) = fits.expect("invariant: a second divides every whole duration");
        return format!("{}{name}", seconds / unit);
    }
    humantime::format_duration(value).to_string()
}

pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show(*value))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_str(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration with its unit, such as \"250ms\", \"5s\" or \"72h\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
        // The parser's own words add nothing to the value and the three examples.
        humantime::parse_duration(text)
            .ok()
            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_as_it_is_usually_written() {
        for text in ["72h", "1m", "90s", "250ms", "1s 500ms", "0s", "1h"] {
            let value = humantime::parse_duration(text).unwrap();
            assert_eq!(show(value), text);
        }
    }
}
