//! A breach of the promise: which rule, which key, which lines, and what it means.

use std::fmt;

use serde::Serialize;

/// The rules; the essay on top of [`super`] numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The log contradicts itself: no verdict on the service.
    Malformed,
    /// 1: a key has several effects.
    TwoEffects,
    /// 2: two callers of a key were given different bytes.
    AnswersDiffer,
    /// 2: a caller was given other bytes than the ledger holds.
    NotTheStoredAnswer,
    /// 2: the ledger holds several answers for a key.
    TwoRecords,
    /// 3: somebody was told "done", and nothing is there.
    AnswerWithoutEffect,
    /// 3: what is there was not what was asked for.
    EffectOfAnotherRequest,
    /// 4: two requests of one key were executed.
    ExecutedTwice,
    /// 5: two different requests were answered under one key.
    AnsweredTwoRequests,
    /// 5: a mismatch without another request.
    MismatchWithItself,
    /// 6: an effect that no request can have caused.
    EffectOfNobody,
    /// 6: somebody was refused for good, and it was done.
    RefusedWithEffect,
    /// 7: 409 long after anybody worked on the key.
    InFlightTooLong,
    /// 8: an effect that nobody was told of.
    EffectWithoutEvent,
    /// 8: an effect with several events.
    TwoEvents,
    /// 8: an event, or what was made of it, without its effect.
    EventOfNothing,
    /// 8: an event that a consumer has not applied.
    NotApplied,
    /// 8: an event that a consumer has applied several times.
    AppliedTwice,
}

/// One breach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule that does not hold.
    pub rule: Rule,
    /// The register, or the effect where no register is known.
    pub key: String,
    /// The lines of the log that show it, counted from 1.
    pub lines: Vec<usize>,
    /// What was seen.
    pub seen: String,
}

impl Rule {
    /// What it means for whoever pays.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Malformed => "the log is not a history; nothing is said of the service",
            Self::TwoEffects => "somebody paid twice",
            Self::AnswersDiffer => "two callers hold different receipts for one payment",
            Self::NotTheStoredAnswer => "a later retry gets another receipt than this caller got",
            Self::TwoRecords => "a key has two answers, and chance decides between them",
            Self::AnswerWithoutEffect => "somebody was told that he had paid, and has not",
            Self::EffectOfAnotherRequest => {
                "somebody was told of a payment that he did not ask for"
            }
            Self::ExecutedTwice => "the work of one key was done twice, if not kept twice",
            Self::AnsweredTwoRequests => "a caller was given the answer to somebody else's request",
            Self::MismatchWithItself => "an honest retry was refused",
            Self::EffectOfNobody => "somebody was told that nothing was done, and it was",
            Self::RefusedWithEffect => "somebody was told that his card was declined, and paid",
            Self::InFlightTooLong => "a caller can't get to his payment",
            Self::EffectWithoutEvent => "a payment that the rest of the house never hears of",
            Self::TwoEvents => "one payment is told as two",
            Self::EventOfNothing => "the house was told of a payment that there is not",
            Self::NotApplied => "a consumer has lost a payment",
            Self::AppliedTwice => "a consumer has counted a payment twice",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, key, seen) = (self.rule, &self.key, &self.seen);
        write!(f, "{rule:?}: key `{key}`: {seen} (lines ")?;
        for (n, line) in self.lines.iter().enumerate() {
            write!(f, "{}{line}", if n == 0 { "" } else { ", " })?;
        }
        write!(f, "): {}", rule.meaning())
    }
}
