//! A place in a stream: the id of an entry. Pure.

use std::fmt;
use std::str::FromStr;

/// An entry's id: milliseconds by the broker's clock, and a number within the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) millis: u64,
    pub(super) seq: u64,
}

/// A text that is no place.
#[derive(Debug, thiserror::Error)]
#[error("not the id of a stream's entry")]
pub(super) struct NoPlace;

impl Place {
    /// The first place of a millisecond.
    pub(super) const fn at(millis: u64) -> Self {
        Self { millis, seq: 0 }
    }

    /// The place right after.
    pub(super) const fn next(self) -> Self {
        match self.seq.checked_add(1) {
            Some(seq) => Self {
                millis: self.millis,
                seq,
            },
            None => Self::at(self.millis.saturating_add(1)),
        }
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (millis, seq) = text.split_once('-').ok_or(NoPlace)?;
        match (millis.parse(), seq.parse()) {
            (Ok(millis), Ok(seq)) => Ok(Self { millis, seq }),
            (_, _) => Err(NoPlace),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbers_and_not_texts() {
        let place = |text: &str| text.parse::<Place>().unwrap();
        assert!(place("9-10") < place("10-2"));
        assert!(place("9-9") < place("9-10"));
        assert_eq!(place("7-3").next(), place("7-4"));
        let last_of_7 = place("7-18446744073709551615");
        assert_eq!(last_of_7.next(), place("8-0"));
        assert_eq!(last_of_7.to_string(), "7-18446744073709551615");
        for text in ["", "7", "-", "7-", "a-b", "7-18446744073709551616"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
